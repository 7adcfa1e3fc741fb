//! The images: static programs, made a layer and imported by Packer.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::compile::Compiler;
use crate::programs::{print, say};
use crate::static_kubectl::StaticKubectl;
use crate::{packer, sbom, tools};

/// Build the image with Packer, from static programs
#[derive(Args)]
pub struct Command {
    /// Also build pra/drill, for drills that run inside a cluster: the programs, the drill, and the kubectl found here
    #[arg(long)]
    drill: bool,
}

impl Command {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        // Before the programs are compiled, since they may be what is missing.
        tools::need(sh, "image", &["docker", "packer"])?;
        let kubectl = self.drill.then(|| StaticKubectl::find(sh)).transpose()?;
        let mut images = vec![build(sh)?];
        if let Some(kubectl) = kubectl {
            images.push(build_drill(sh, &kubectl)?);
        }
        for Image { name, id } in images {
            print(&format!("{name} {id}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An image that Docker has.
pub struct Image {
    /// As a cluster refers to it, `pra/app:0.1.0`.
    pub name: String,
    /// Docker's, `sha256:…`. It differs from build to build, because it covers the time; the layer's digest does not.
    pub id: String,
}

/// The name of the image of this version.
pub fn name() -> String {
    versioned(APP)
}

/// The name of the image of this version that has the drill.
pub fn drill_name() -> String {
    versioned(DRILL)
}

const APP: &str = "pra/app";
const DRILL: &str = "pra/drill";

fn versioned(title: &str) -> String {
    format!("{title}:{}", env!("CARGO_PKG_VERSION"))
}

/// What both images have.
const PACKAGES: [&str; 2] = ["app", "backup"];

/// Compiles the programs and builds the image.
pub fn build(sh: &Shell) -> Result<Image> {
    let compiler = Compiler::new(sh)?;
    let programs = compiler.compile(sh, &PACKAGES)?;
    let parts = sbom::crates(sh, &compiler.host, &PACKAGES)?;
    let variables = vec![format!("programs={}", programs.display())];
    Recipe { title: APP, files: "image", variables, parts }.follow(sh, &compiler)
}

/// Compiles the drill, and builds the image that has it beside the programs that [`build`] compiled.
fn build_drill(sh: &Shell, kubectl: &StaticKubectl) -> Result<Image> {
    let compiler = Compiler::new(sh)?;
    // By itself: Cargo gives what is compiled together the features of all, and the programs would be others.
    let programs = compiler.compile(sh, &["drill"])?;
    let mut parts = sbom::crates(sh, &compiler.host, &PACKAGES)?;
    parts.extend(sbom::crates(sh, &compiler.host, &["drill"])?);
    parts.push(kubectl.part());
    let variables = vec![format!("programs={}", programs.display()), format!("kubectl={}", kubectl.directory())];
    Recipe { title: DRILL, files: "drill", variables, parts }.follow(sh, &compiler)
}

/// How an image is made of programs that are compiled.
struct Recipe {
    title: &'static str,
    /// Name of the template, the layer and the bill of materials, without what tells them apart.
    files: &'static str,
    variables: Vec<String>,
    parts: Vec<Value>,
}

impl Recipe {
    fn follow(mut self, sh: &Shell, compiler: &Compiler) -> Result<Image> {
        let file = |extension| compiler.target.join(self.files).with_extension(extension);
        let bill = file("cdx.json");
        sbom::write(&bill, self.title, self.parts)?;
        say(&format!("bill of materials: {}", bill.display()));
        self.variables.extend([
            format!("version={}", env!("CARGO_PKG_VERSION")),
            format!("revision={}", revision(sh)),
            format!("layer={}", file("tar").display()),
        ]);
        packer::build(sh, &format!("packer/{}.pkr.hcl", self.files), &self.variables)?;
        let name = versioned(self.title);
        let format = "{{.Id}}";
        let id = cmd!(sh, "docker image inspect --format {format} {name}").quiet().read()?;
        Ok(Image { name, id })
    }
}

/// The commit, marked where the programs may differ from it.
fn revision(sh: &Shell) -> String {
    let described = cmd!(sh, "git describe --always --dirty --abbrev=40 --exclude *").quiet().ignore_stderr().read();
    described.unwrap_or_else(|_| "unknown".to_owned())
}
