//! The kubectl that goes into an image, where nothing is below or beside it.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::programs::usage;
use crate::tools;

const WHAT_NEXT: &str =
    "Kubernetes publishes one that fits, and cargo xtask setup gets it, with --all where there is another";

/// A kubectl that needs nothing else.
pub struct StaticKubectl {
    program: PathBuf,
    version: String,
}

impl StaticKubectl {
    /// The first in the `PATH`.
    ///
    /// # Errors
    /// If there is none, or if it asks for a loader and its libraries, or is a script.
    pub fn find(sh: &Shell) -> Result<Self> {
        let path = sh.var_os("PATH").unwrap_or_default();
        let found = env::split_paths(&path).map(|directory| directory.join("kubectl")).find(|file| file.is_file());
        let program = found.ok_or_else(|| usage(format!("kubectl for the image is missing; {WHAT_NEXT}")))?;
        let headers = cmd!(sh, "readelf --program-headers --wide {program}").quiet().ignore_stderr().env("LC_ALL", "C");
        let unfit = match headers.ignore_status().read() {
            Ok(headers) if headers.contains("INTERP") => "needs a dynamic loader",
            Ok(headers) if headers.contains("LOAD") => "",
            Ok(_) => "is no program, but perhaps a script that starts one",
            Err(error) => return Err(error).context("cannot run readelf, which a C compiler brings (binutils)"),
        };
        if !unfit.is_empty() {
            let shown = program.display();
            return Err(usage(format!("{shown} {unfit}, which an image with nothing else has not; {WHAT_NEXT}")));
        }
        let said = tools::version(sh, &program).with_context(|| format!("{} does not run", program.display()))?;
        let version = tools::number(&said).with_context(|| format!("kubectl told no version, but {said:?}"))?;
        Ok(Self { version: version.to_owned(), program })
    }

    /// Where it is, by the name `kubectl`.
    pub fn directory(&self) -> String {
        self.program.parent().unwrap_or(&self.program).display().to_string()
    }

    /// What it is in a bill of materials.
    pub fn part(&self) -> Value {
        let purl = format!("pkg:golang/k8s.io/kubernetes@v{}#cmd/kubectl", self.version);
        json!({
            "type": "application", "bom-ref": purl, "name": "kubectl", "version": self.version, "purl": purl,
            "licenses": [{"expression": "Apache-2.0"}]
        })
    }
}
