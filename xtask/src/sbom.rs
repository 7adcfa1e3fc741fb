//! The bill of materials of the image, in CycloneDX: every crate that is linked into its programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

/// Between the parts of a line; in no name, version or licence.
const SEPARATOR: char = '\t';

/// Writes the bill of the programs that are compiled for `host`.
///
/// `cargo tree` resolves features as `cargo build` does for the same packages: what only tests, build scripts or macros
/// need is left out, as it is out of the programs.
pub fn write(sh: &Shell, host: &str, file: &Path) -> Result<()> {
    let format = format!("{{p}}{SEPARATOR}{{l}}");
    let crates = cmd!(
        sh,
        "cargo tree --locked --target {host} --package app --package backup --edges normal,no-proc-macro
            --prefix none --no-dedupe --format {format}"
    );
    let bill = bill(&crates.quiet().read()?)?;
    fs::write(file, format!("{bill:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

fn bill(listed: &str) -> Result<Value> {
    let lines: BTreeSet<&str> = listed.lines().filter(|line| !line.is_empty()).collect();
    let components = lines.into_iter().map(component).collect::<Result<Vec<_>>>()?;
    ensure!(!components.is_empty(), "cargo tree lists no crate");
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": "image", "name": "pra/app", "version": env!("CARGO_PKG_VERSION")}
        },
        "components": components,
    }))
}

/// `name v1.2.3 (where it is from)`, a tab, and a licence that may be missing.
fn component(line: &str) -> Result<Value> {
    let unexpected = || format!("cargo tree lists {line:?}; expected a name and a version");
    let (package, licence) = line.split_once(SEPARATOR).with_context(unexpected)?;
    let mut words = package.split(' ');
    let name = words.next().with_context(unexpected)?;
    let version = words.next().and_then(|word| word.strip_prefix('v')).with_context(unexpected)?;
    let purl = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
    // Some still write the slash of old.
    let licence = licence.replace('/', " OR ");
    let licences = if licence.is_empty() { json!([]) } else { json!([{"expression": licence}]) };
    Ok(json!({
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "licenses": licences
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_is_in_the_bill_once_and_no_path_of_this_machine_is() {
        let listed = "app v0.1.0 (/home/me/pra/crates/app)\tMIT OR Apache-2.0\nmemchr v2.7.6\tUnlicense/MIT\n\
                      zstd-sys v2.0.16+zstd.1.5.7\t\nmemchr v2.7.6\tUnlicense/MIT\n";
        let bill = bill(listed).unwrap();
        let found: Vec<_> =
            bill["components"].as_array().unwrap().iter().map(|one| one["purl"].as_str().unwrap()).collect();
        assert_eq!(found, ["pkg:cargo/app@0.1.0", "pkg:cargo/memchr@2.7.6", "pkg:cargo/zstd-sys@2.0.16%2Bzstd.1.5.7"]);
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "Unlicense OR MIT");
        assert!(!bill.to_string().contains("/home/me"));
    }

    #[test]
    fn what_cargo_does_not_usually_say_is_an_error() {
        for listed in ["", "memchr 2.7.6\tMIT", "memchr v2.7.6"] {
            assert!(bill(listed).is_err(), "{listed}");
        }
    }
}
