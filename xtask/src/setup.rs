use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use xshell::{Shell, cmd};

use crate::download::{Download, Packaging};
use crate::programs::{say, usage};
use crate::tools::{self, Found};

/// Get kubectl, k3d, Packer and Ansible, in pinned versions, into target/tools
#[derive(Args)]
#[command(
    after_help = "What this machine has in a version that `doctor` accepts is left alone. Each download is checked against its publisher's \
                  checksums. Docker is not installed. Environment: PRA_TOOLS, a directory in the place of \
                  target/tools."
)]
pub struct Setup {
    /// Only Ansible and the checkers of the declarations, where the other tools come from elsewhere
    #[arg(long)]
    python_only: bool,
    /// The pinned versions, also of what this machine has in another that would do: a static kubectl for an image, say
    #[arg(long, conflicts_with = "python_only")]
    all: bool,
    #[command(flatten)]
    from: From,
}

/// Mirrors.
#[derive(Args)]
struct From {
    /// Where kubectl is published
    #[arg(long, value_name = "URL", env = "PRA_KUBECTL_FROM", default_value = "https://dl.k8s.io/release")]
    kubectl_from: String,
    /// Where k3d is published
    #[arg(
        long,
        value_name = "URL",
        env = "PRA_K3D_FROM",
        default_value = "https://github.com/k3d-io/k3d/releases/download"
    )]
    k3d_from: String,
    /// Where Packer is published
    #[arg(long, value_name = "URL", env = "PRA_PACKER_FROM", default_value = "https://releases.hashicorp.com/packer")]
    packer_from: String,
}

const KUBECTL: &str = "1.33.5";
const K3D: &str = "5.8.3";
const PACKER: &str = "1.14.2";

/// Ansible with its modules, and the checkers that continuous integration runs.
const REQUIREMENTS: [&str; 2] = ["ansible/requirements.txt", ".ci/requirements.txt"];

impl Setup {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let missing = tools::lacking(sh, &tools::SETUP);
        if !missing.is_empty() {
            return Err(usage(format!("setup needs {}; see cargo xtask doctor", missing.join(", "))));
        }
        python(sh)?;
        if !self.python_only {
            for download in self.from.downloads()? {
                if self.all || !is_there(sh, &download) {
                    download.install(sh, &tools::directory(&sh.current_dir()))?;
                }
            }
        }
        say("set up; cargo xtask doctor shows what there is");
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether the machine has it outside of the project in a version that is good enough: then nothing has to be reached.
fn is_there(sh: &Shell, download: &Download) -> bool {
    let tool = tools::CLUSTER.iter().find(|tool| tool.name == download.tool);
    let found = tool.map(|tool| (tool, tool.find(sh)));
    let Some((tool, Found::Good(version))) = found else { return false };
    if version != download.version {
        say(&format!("{} {version} is there, {} is wanted: left alone", tool.name, tool.wanted));
    }
    version != download.version
}

/// A Python environment of the project: nothing of the machine's is changed.
fn python(sh: &Shell) -> Result<()> {
    let directory = tools::directory(&sh.current_dir());
    let pip = directory.join("bin/pip");
    if !pip.is_file() {
        cmd!(sh, "python3 -m venv {directory}").run().with_context(|| {
            format!("no Python environment in {}; on Debian, apt install python3-venv", directory.display())
        })?;
    }
    let requirements = REQUIREMENTS.iter().flat_map(|file| ["--requirement", *file]);
    cmd!(sh, "{pip} install --quiet --disable-pip-version-check {requirements...}")
        .run()
        .context("the Python packages could not be installed; is their index reachable")
}

impl From {
    fn downloads(&self) -> Result<[Download; 3]> {
        let system = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => "amd64",
            ("linux", "aarch64") => "arm64",
            (system, processor) => {
                bail!("setup knows no downloads for {system} on {processor}; get the tools yourself")
            }
        };
        let Self { kubectl_from, k3d_from, packer_from } = self;
        let kubectl = format!("{kubectl_from}/v{KUBECTL}/bin/linux/{system}/kubectl");
        let packer = format!("{packer_from}/{PACKER}/packer_{PACKER}");
        Ok([
            Download {
                tool: "kubectl",
                version: KUBECTL,
                checksums: format!("{kubectl}.sha256"),
                file: kubectl,
                packaging: Packaging::Bare,
            },
            Download {
                tool: "k3d",
                version: K3D,
                file: format!("{k3d_from}/v{K3D}/k3d-linux-{system}"),
                checksums: format!("{k3d_from}/v{K3D}/checksums.txt"),
                packaging: Packaging::Bare,
            },
            Download {
                tool: "packer",
                version: PACKER,
                file: format!("{packer}_linux_{system}.zip"),
                checksums: format!("{packer}_SHA256SUMS"),
                packaging: Packaging::Zip,
            },
        ])
    }
}
