use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::cluster;
use crate::kubectl::{NAMESPACE, Target};
use crate::platform::{Platform, PlatformOption};
use crate::programs::{self, refused, usage};

/// Run a drill: break one thing, recover, measure
#[derive(Args)]
#[command(after_help = "Exit codes: those of `drill run`, see `cargo xtask drill --kill-pod -- --help`.")]
pub struct Drill {
    #[command(flatten)]
    scenarios: Scenarios,
    #[command(flatten)]
    platform: PlatformOption,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    conduct: Conduct,
    /// Recovery time objective, e.g. 60s
    #[arg(long, value_name = "DURATION")]
    rto: Option<String>,
    /// Recovery point objective, e.g. 75s
    #[arg(long, value_name = "DURATION")]
    rpo: Option<String>,
    /// When the fault strikes, e.g. just-before-backup
    #[arg(long, value_name = "MOMENT")]
    inject_at: Option<String>,
    /// Further options of `drill run`
    #[arg(last = true, value_name = "OPTIONS")]
    more: Vec<String>,
}

/// What to break; one at least.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Scenarios {
    /// Kill the service in the middle of a write
    #[arg(long)]
    kill_pod: bool,
    /// Destroy the volume with the database
    #[arg(long)]
    kill_pvc: bool,
    /// Overwrite the database under the running service
    #[arg(long)]
    corrupt_database: bool,
    /// Damage the newest restore point, then destroy the volume
    #[arg(long)]
    bad_newest_backup: bool,
    /// Destroy the volume, and kill the restore half-way
    #[arg(long)]
    interrupted_restore: bool,
    /// Destroy the volume, and back up a service that came up empty
    #[arg(long)]
    poisoned_backup: bool,
    /// Delete everything by mistake
    #[arg(long)]
    human_error: bool,
    /// Fill the volume with the database
    #[arg(long)]
    full_disk: bool,
    /// Stop the backups
    #[arg(long)]
    stuck_backups: bool,
    /// Destroy the volume with the restore points
    #[arg(long)]
    kill_backup_volume: bool,
    /// Destroy both volumes
    #[arg(long)]
    lose_both_volumes: bool,
    /// Rob the remote repository with the service's own credentials, and destroy both volumes
    #[arg(long)]
    stolen_credentials: bool,
    /// Drain the node of the service
    #[arg(long)]
    drain_node: bool,
    /// Stop the node of the service, as a power cut does
    #[arg(long)]
    stop_node: bool,
    /// Every scenario that the platform offers
    #[arg(long)]
    all: bool,
}

impl Scenarios {
    fn names(&self) -> impl Iterator<Item = String> {
        named([
            ("kill-pod", self.kill_pod),
            ("kill-pvc", self.kill_pvc),
            ("corrupt-database", self.corrupt_database),
            ("bad-newest-backup", self.bad_newest_backup),
            ("interrupted-restore", self.interrupted_restore),
            ("poisoned-backup", self.poisoned_backup),
            ("human-error", self.human_error),
            ("full-disk", self.full_disk),
            ("stuck-backups", self.stuck_backups),
            ("kill-backup-volume", self.kill_backup_volume),
            ("lose-both-volumes", self.lose_both_volumes),
            ("stolen-credentials", self.stolen_credentials),
            ("drain-node", self.drain_node),
            ("stop-node", self.stop_node),
            ("all", self.all),
        ])
    }
}

/// Which cluster.
#[derive(Args)]
struct Place {
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

/// How it is broken and repaired.
#[derive(Args)]
struct Conduct {
    /// Kill the pod without grace
    #[arg(long)]
    force: bool,
    /// Recover by what the deployment itself does, not by the runbook
    #[arg(long)]
    automatic: bool,
    /// Twice, by the runbook and then automatically, and a report that compares them
    #[arg(long, conflicts_with = "automatic")]
    compare: bool,
    /// Keep clients and backups going until the volume is gone
    #[arg(long)]
    brutal: bool,
    /// Print the plan, and break nothing
    #[arg(long)]
    dry_run: bool,
}

impl Drill {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let place = self.place.arguments(sh, self.platform.choose(sh)?)?;
        if let Some(target) = target(&place) {
            target.must_exist(sh)?;
        }
        programs::build(sh)?.become_program(sh, "drill", &self.arguments(place))
    }

    fn arguments(self, place: Vec<String>) -> Vec<String> {
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(self.scenarios.names());
        arguments.extend(place);
        arguments.extend(given([("--rto", self.rto), ("--rpo", self.rpo), ("--inject-at", self.inject_at)]));
        let Conduct { force, automatic, compare, brutal, dry_run } = self.conduct;
        arguments.extend(named([("--force", force), ("--automatic", automatic), ("--brutal", brutal)]));
        arguments.extend(named([("--compare", compare), ("--dry-run", dry_run)]));
        arguments.extend(self.more);
        arguments
    }
}

impl Place {
    /// What tells `drill run` where it runs.
    fn arguments(&self, sh: &Shell, platform: Platform) -> Result<Vec<String>> {
        let Self { context, namespace, url } = self;
        let (context, url) = match platform {
            Platform::Local if context.is_none() && namespace.is_none() && url.is_none() => return Ok(Vec::new()),
            Platform::Local => {
                return Err(usage("--context, --namespace and --url are for --platform kubernetes"));
            }
            Platform::K3d => {
                if context.as_deref().is_some_and(|context| context != cluster::CONTEXT) {
                    return Err(usage("platform k3d has a context of its own; add --platform kubernetes"));
                }
                if cluster::find(sh)?.is_none() {
                    return Err(refused(
                        "there is no k3d cluster to drill; make it with cargo xtask all, or use --platform local",
                    ));
                }
                (cluster::CONTEXT.to_owned(), url.clone().or_else(|| Some(cluster::URL.to_owned())))
            }
            Platform::Kubernetes => match context {
                Some(context) => (context.clone(), url.clone()),
                None => {
                    return Err(usage(
                        "--platform kubernetes needs --context NAME; kubectl config get-contexts lists them",
                    ));
                }
            },
        };
        let mut arguments = vec!["--platform".to_owned(), "kubernetes".to_owned()];
        arguments.extend(given([("--context", Some(context)), ("--namespace", namespace.clone()), ("--url", url)]));
        Ok(arguments)
    }
}

/// The namespace that the drill is for, if it is for one.
fn target(place: &[String]) -> Option<Target> {
    let value = |option| place.iter().skip_while(|argument| *argument != option).nth(1).cloned();
    let namespace = value("--namespace").unwrap_or_else(|| NAMESPACE.to_owned());
    Some(Target { context: value("--context")?, namespace })
}

fn named<const N: usize>(flags: [(&str, bool); N]) -> impl Iterator<Item = String> {
    flags.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name.to_owned())
}

fn given<const N: usize>(options: [(&str, Option<String>); N]) -> impl Iterator<Item = String> {
    options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten()
}
