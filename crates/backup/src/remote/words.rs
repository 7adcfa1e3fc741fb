//! A store's own words, made fit to be shown: in one line, bounded, without what steers a terminal, and without a credential.

use std::iter;

use super::environment::redacted;
use crate::text::printable;

/// As much of them as is worth reading.
const WORDS_MAX: usize = 600;

/// What a store said, for people, and what to do next; never a credential, though stores repeat those they refuse.
pub(super) fn explain(error: &object_store::Error) -> String {
    use object_store::Error as E;
    let words = words(error);
    // An error of a listing has no kind, but it has the status.
    let is = |status: u16| words.contains(&format!("status code: {status}"));
    let next = match error {
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => CREDENTIALS,
        _ if is(401) || is(403) => CREDENTIALS,
        E::NotImplemented { .. } | E::NotSupported { .. } => {
            "this store cannot be used: it does not support conditional writes"
        }
        _ if words.contains("URL scheme is not allowed") => NO_HTTP,
        _ if words.contains("the store redirects to") => "no stored data was changed",
        _ if is(404) => "check that the bucket exists and that the URL names it",
        _ => "no stored data was changed; check that the store works, then try again",
    };
    let words: String = printable(&redacted(&words)).chars().take(WORDS_MAX).collect();
    format!("{words}; {next}")
}

const NO_HTTP: &str = "use https://, or set AWS_ALLOW_HTTP=true (AZURE_…, GOOGLE_…) if nobody else is on that network";

pub(super) const CREDENTIALS: &str = "check the credentials in the environment and their permissions";

/// In one line, with the cause of it all, which its wrappers do not tell.
fn words(error: &object_store::Error) -> String {
    let causes = iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let (first, last) = (error.to_string(), causes.last().map(ToString::to_string).unwrap_or_default());
    let all = if first.contains(&last) { first } else { format!("{first}: {last}") };
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words of a store as they can be shown: in one line, bounded, without what steers a terminal, and without a credential.
pub(super) fn plain(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&redacted(&line)).chars().take(WORDS_MAX).collect()
}
