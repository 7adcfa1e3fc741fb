//! Fuzz targets for untrusted input to the service, run by `fuzz/` and, briefly, by the tests. Each must return for any
//! input.

use std::cell::RefCell;

use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE};
use axum::http::{HeaderMap, HeaderValue};
use clap::{Command, CommandFactory as _, FromArgMatches as _};

use crate::config::Config;
use crate::negotiate;
use crate::routes::{add, consultation};
use crate::store::journal_fuzzed;

/// The query of a request, and what its headers say of the answer.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(message) = add::message(&text) {
        assert!((1..=add::LENGTH_MAX).contains(&message.len()));
    }
    if let Ok(page) = consultation::page(&text) {
        assert!((1..=consultation::LIMIT_MAX).contains(&page.limit));
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(ACCEPT, value.clone()), (ACCEPT_LANGUAGE, value)]);
    negotiate::prefers_html(&headers);
    negotiate::takes_open_metrics(&headers);
    negotiate::language(&headers);
}

thread_local! {
    /// Describing the options takes longer than reading some.
    static OPTIONS: RefCell<Command> = RefCell::new(Config::command());
}

/// The options of the program, one a line.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let arguments = std::iter::once("app").chain(text.lines());
    let matches = OPTIONS.with_borrow_mut(|options| options.try_get_matches_from_mut(arguments));
    if let Ok(Ok(config)) = matches.map(|matches| Config::from_arg_matches(&matches)) {
        assert!(config.connections_max > 0 && !config.patience().is_zero());
    }
}

/// A file of the journal.
pub fn journal(bytes: &[u8]) {
    journal_fuzzed::journal(bytes);
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
        fn any_query_is_read_or_refused(bytes in changed("query")) {
            query(&bytes);
        }

        #[test]
        fn any_journal_is_read_or_refused(bytes in changed("journal")) {
            journal(&bytes);
        }

        #[test]
        fn any_configuration_is_read_or_refused(bytes in changed("configuration")) {
            configuration(&bytes);
        }
    }
}
