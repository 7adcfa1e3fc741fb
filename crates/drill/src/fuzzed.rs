//! What strangers can make the drill read: the targets of `fuzz/`, and of a short run among the tests. Each must come back,
//! whatever it is given.

use crate::judge::objectives;
use crate::report::evidence;

/// The envelope of a report's evidence, and what is in it.
pub fn evidence(bytes: &[u8]) {
    evidence::fuzzed(bytes);
}

/// What people say, a line each.
pub fn configuration(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        let (any, positive) = (objectives::duration(line), objectives::positive_duration(line));
        assert!(positive.is_err() || positive == any);
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
        fn any_evidence_is_read_or_refused(bytes in changed("evidence")) {
            evidence(&bytes);
        }

        #[test]
        fn any_configuration_is_read_or_refused(bytes in changed("configuration")) {
            configuration(&bytes);
        }
    }
}
