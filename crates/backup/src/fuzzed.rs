//! Fuzz targets for untrusted input to the commands, run by `fuzz/` and, briefly, by the tests. Each must return for
//! any input.

use jiff::Timestamp;

use crate::{Manifest, Name, remote, text};

/// The name under which a manifest is read.
const NAME: &str = "app-20261122T180935.449Z";

/// The manifest of a restore point here.
pub fn manifest(bytes: &[u8]) {
    let Ok(name) = NAME.parse() else { return };
    match Manifest::parse(&name, bytes) {
        Ok(manifest) => {
            let now = Timestamp::UNIX_EPOCH;
            manifest.current_at(now);
            manifest.is_contradicted(now);
            manifest.identity();
            let written = serde_json::to_vec(&manifest).map(|bytes| Manifest::parse(&name, &bytes));
            assert!(matches!(written, Ok(Ok(read)) if read == manifest), "not read as it was written");
        }
        Err(reason) => assert!(!text::printable(&reason).contains('\u{1b}')),
    }
}

/// A store's listing, and each manifest that it names.
pub fn listing(bytes: &[u8]) {
    remote::fuzzed::listing(bytes);
}

/// What people and environments say: a line each.
pub fn configuration(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Ok(name) = line.parse::<Name>() {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        remote::fuzzed::configuration(line);
    }
}

#[cfg(test)]
#[path = "../../../fuzz/changed.rs"]
mod changed;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::changed::changed;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn any_manifest_is_read_or_refused(bytes in changed("manifest")) {
            manifest(&bytes);
        }

        #[test]
        fn any_listing_is_read_or_refused(bytes in changed("listing")) {
            listing(&bytes);
        }

        #[test]
        fn any_configuration_is_read_or_refused(bytes in changed("configuration")) {
            configuration(&bytes);
        }
    }
}
