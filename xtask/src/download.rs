//! A program that is downloaded, checked, and only then put in its place.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::programs::say;
use crate::tools;

/// A published program.
pub struct Download {
    pub tool: &'static str,
    pub version: &'static str,
    /// Address of the file.
    pub file: String,
    /// Address of its publisher's SHA-256 checksums.
    pub checksums: String,
    pub packaging: Packaging,
}

/// What the file is.
#[derive(Clone, Copy)]
pub enum Packaging {
    /// The program.
    Bare,
    /// A zip file that has the program in it.
    Zip,
}

impl Download {
    /// Installs the program in `bin` of a directory, unless it is there in this version.
    pub fn install(&self, sh: &Shell, directory: &Path) -> Result<()> {
        let program = directory.join("bin").join(self.tool);
        if program.is_file() {
            let said = tools::version(sh, &program).unwrap_or_default();
            if tools::number(&said) == Some(self.version) {
                say(&format!("{} {} is there", self.tool, self.version));
                return Ok(());
            }
        }
        // Beside its place, so that the last step is a rename; what an interrupted run left there goes first.
        let partial = directory.join("partial").join(self.tool);
        sh.remove_path(&partial)?;
        sh.create_dir(&partial)?;
        let installed = self.fetch(sh, &partial, &program);
        sh.remove_path(&partial)?;
        installed.with_context(|| format!("{} {} was not installed", self.tool, self.version))
    }

    fn fetch(&self, sh: &Shell, partial: &Path, program: &Path) -> Result<()> {
        let name = last_part(&self.file);
        let (file, checksums) = (partial.join(name), partial.join("checksums"));
        get(sh, &self.checksums, &checksums)?;
        get(sh, &self.file, &file)?;

        let expected = expected_digest(&sh.read_file(&checksums)?, name)
            .with_context(|| format!("{} has no checksum of {name}", self.checksums))?;
        let found = cmd!(sh, "sha256sum {file}").quiet().read()?;
        let found = found.split_whitespace().next().unwrap_or_default();
        ensure!(
            found == expected,
            "{} is not what its publisher made: expected SHA-256 {expected}, found {found}; try again, and if it \
             stays so, find out who changes your downloads",
            self.file
        );

        if let Packaging::Zip = self.packaging {
            cmd!(sh, "python3 -m zipfile --extract {file} {partial}").run()?;
        }
        let unpacked = match self.packaging {
            Packaging::Bare => file,
            Packaging::Zip => partial.join(self.tool),
        };
        fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("{} is not in {name}", self.tool))?;
        sh.create_dir(program.parent().context("a program is in a directory")?)?;
        fs::rename(&unpacked, program).with_context(|| format!("cannot put {} in its place", program.display()))?;
        say(&format!("{} {} installed", self.tool, self.version));
        Ok(())
    }
}

fn get(sh: &Shell, address: &str, file: &Path) -> Result<()> {
    cmd!(
        sh,
        "curl --fail --location --silent --show-error --retry 2 --connect-timeout 20 --max-time 600 --output {file} {address}"
    )
    .run()
    .with_context(|| format!("cannot download {address}"))
}

fn last_part(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or(address)
}

/// The digest of a file in a list of checksums: lines of a digest and a path, or a digest alone.
fn expected_digest(checksums: &str, name: &str) -> Option<String> {
    let digest = checksums.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let digest = words.next()?;
        let is_it = words.next().is_none_or(|path| last_part(path.trim_start_matches('*')) == name);
        is_it.then_some(digest)
    })?;
    (digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digest.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn each_publisher_has_a_format_of_its_own() {
        assert_eq!(expected_digest(A, "kubectl").as_deref(), Some(A));
        let k3d = format!("{A}  _dist/k3d-linux-amd64.sig\n{B}  _dist/k3d-linux-amd64\n");
        assert_eq!(expected_digest(&k3d, "k3d-linux-amd64").as_deref(), Some(B));
        let packer = format!("{A}  packer_1.14.2_linux_arm64.zip\n{B} *packer_1.14.2_linux_amd64.zip\n");
        assert_eq!(expected_digest(&packer, "packer_1.14.2_linux_amd64.zip").as_deref(), Some(B));
    }

    #[test]
    fn a_page_that_is_no_list_of_checksums_has_none() {
        assert_eq!(expected_digest("", "kubectl"), None);
        assert_eq!(expected_digest("<html> <body>", "kubectl"), None);
        assert_eq!(expected_digest("<html>", "kubectl"), None);
    }
}
