//! The bill of materials of an image, in CycloneDX: every crate that is linked into its programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

/// Between the parts of a line; in no name, version or licence.
const SEPARATOR: char = '\t';

/// Every crate that is linked into the programs of some packages that are compiled together for `host`.
///
/// `cargo tree` resolves features as `cargo build` does for the same packages: what only tests, build scripts or macros
/// need is left out, as it is out of the programs.
pub fn crates(sh: &Shell, host: &str, packages: &[&str]) -> Result<Vec<Value>> {
    let format = format!("{{p}}{SEPARATOR}{{l}}");
    let packages = packages.iter().flat_map(|package| ["--package", *package]);
    let listed = cmd!(
        sh,
        "cargo tree --locked --target {host} {packages...} --edges normal,no-proc-macro
            --prefix none --no-dedupe --format {format}"
    );
    components(&listed.quiet().read()?)
}

/// Writes the bill of an image. What several programs have is in it once.
pub fn write(file: &Path, image: &str, parts: Vec<Value>) -> Result<()> {
    let bill = bill(image, parts);
    fs::write(file, format!("{bill:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

fn components(listed: &str) -> Result<Vec<Value>> {
    let components = listed.lines().filter(|line| !line.is_empty()).map(component).collect::<Result<Vec<_>>>()?;
    ensure!(!components.is_empty(), "cargo tree lists no crate");
    Ok(components)
}

fn bill(image: &str, parts: Vec<Value>) -> Value {
    let parts: BTreeMap<String, Value> = parts.into_iter().map(|part| (part["purl"].to_string(), part)).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": "image", "name": image, "version": env!("CARGO_PKG_VERSION")}
        },
        "components": parts.into_values().collect::<Vec<_>>(),
    })
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
        let bill = bill("pra/app", components(listed).unwrap());
        let found: Vec<_> =
            bill["components"].as_array().unwrap().iter().map(|one| one["purl"].as_str().unwrap()).collect();
        assert_eq!(found, ["pkg:cargo/app@0.1.0", "pkg:cargo/memchr@2.7.6", "pkg:cargo/zstd-sys@2.0.16%2Bzstd.1.5.7"]);
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "Unlicense OR MIT");
        assert!(!bill.to_string().contains("/home/me"));
    }

    #[test]
    fn what_cargo_does_not_usually_say_is_an_error() {
        for listed in ["", "memchr 2.7.6\tMIT", "memchr v2.7.6"] {
            assert!(components(listed).is_err(), "{listed}");
        }
    }
}
