//! Command lines of the drill: its options are its own, and the pipeline reads only what it has to know of them.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory as _, Parser};
use xshell::Shell;

use crate::cluster;
use crate::kubectl::{NAMESPACE, Target};
use crate::platform::{Platform, PlatformOption};
use crate::programs::{self, print, refused, usage};

/// What is handed on as it is.
#[derive(Args)]
pub struct Options {
    /// Scenarios and options, in any order; --help lists them
    #[arg(value_name = "OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Where to drill, as the pipeline reads it out of the options.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true, override_usage = "cargo xtask drill SCENARIO... [OPTIONS]")]
#[command(about = "Options of the pipeline; `drill run` has all others")]
pub struct Place {
    #[command(flatten)]
    platform: PlatformOption,
    /// Context of the kubeconfig, with --platform kubernetes
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespace on a cluster [default: pra]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Where the clients reach the service of a cluster
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Options {
    /// Nothing at all was asked for.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Takes out what says where to drill; the rest is the drill's. A wrong value ends the process, as clap has it.
    pub fn place(self) -> (Place, Vec<String>) {
        let (place, rest) = split(self.words);
        (Place::parse_from(place), rest)
    }

    /// Lets a subcommand of the drill explain its options, if that is what was asked for.
    pub fn help(&self, sh: &Shell, subcommand: &str) -> Result<Option<ExitCode>> {
        if !self.words.iter().any(|word| word == "--help" || word == "-h") {
            return Ok(None);
        }
        if subcommand == "run" {
            print(&Place::command().render_help().to_string())?;
        }
        programs::build(sh)?.become_program(sh, "drill", &[subcommand, "--help"]).map(Some)
    }

    /// Everything, for a subcommand of which the pipeline has to know nothing.
    pub fn all(self) -> Vec<String> {
        without_separator(self.words)
    }
}

/// `-- OPTIONS` means the same as `OPTIONS`.
fn without_separator(words: Vec<String>) -> Vec<String> {
    words.into_iter().filter(|word| word != "--").collect()
}

/// What [`Place`] knows, and the rest.
fn split(words: Vec<String>) -> (Vec<String>, Vec<String>) {
    let command = Place::command();
    let is_ours = |word: &str| {
        let name = word.strip_prefix("--").map(|word| word.split('=').next().unwrap_or(word));
        name.is_some_and(|name| command.get_arguments().any(|option| option.get_long() == Some(name)))
    };
    let (mut ours, mut rest) = (Vec::new(), Vec::new());
    let mut words = without_separator(words).into_iter();
    while let Some(word) = words.next() {
        match is_ours(&word) {
            true if word.contains('=') => ours.push(word),
            true => ours.extend([Some(word), words.next()].into_iter().flatten()),
            false => rest.push(word),
        }
    }
    (ours, rest)
}

impl Place {
    pub fn platform(&self, sh: &Shell) -> Result<Platform> {
        self.platform.choose(sh)
    }

    /// Whether more than a platform was asked for.
    pub fn is_of_a_cluster(&self) -> bool {
        self.context.is_some() || self.namespace.is_some() || self.url.is_some()
    }

    /// What tells `drill run` where it runs, once it is known that it can run there.
    pub fn arguments(self, sh: &Shell) -> Result<Vec<String>> {
        let is_of_a_cluster = self.is_of_a_cluster();
        let platform = self.platform(sh)?;
        let Self { context, namespace, url, .. } = self;
        let (context, url) = match platform {
            Platform::Local if is_of_a_cluster => {
                return Err(usage("--context, --namespace and --url are for --platform kubernetes"));
            }
            Platform::Local => return Ok(Vec::new()),
            Platform::K3d => {
                if context.is_some_and(|context| context != cluster::CONTEXT) {
                    return Err(usage("platform k3d has a context of its own; add --platform kubernetes"));
                }
                if cluster::find(sh)?.is_none() {
                    return Err(refused(
                        "there is no k3d cluster to drill; make it with cargo xtask all, or use --platform local",
                    ));
                }
                (cluster::CONTEXT.to_owned(), url.or_else(|| Some(cluster::URL.to_owned())))
            }
            Platform::Kubernetes => {
                let how = "--platform kubernetes needs --context NAME; kubectl config get-contexts lists them";
                (context.ok_or_else(|| usage(how))?, url)
            }
        };
        let target = Target { context, namespace: namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned()) };
        target.must_exist(sh)?;
        let given = [("--context", Some(target.context)), ("--namespace", namespace), ("--url", url)];
        let given = given.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        Ok([["--platform".to_owned(), "kubernetes".to_owned()]].into_iter().chain(given).flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_drill_is_found_wherever_it_stands() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (line, ours, rest) in [
            ("kill-pvc --runs 5 --platform local", "--platform local", "kill-pvc --runs 5"),
            ("--platform=k3d --kill-pvc -- --rate 5", "--platform=k3d", "--kill-pvc --rate 5"),
            ("kill-pvc -- --url http://a:1 --json", "--url http://a:1", "kill-pvc --json"),
            ("--context a --rto 5s --namespace", "--context a --namespace", "--rto 5s"),
            ("--urls --contextual platform", "", "--urls --contextual platform"),
        ] {
            assert_eq!(split(words(line)), (words(ours), words(rest)), "{line}");
        }
    }
}
