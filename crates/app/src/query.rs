//! Strict parsing of a query string: every value must be valid, and the first value of a name is used.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum QueryError {
    #[error("{name} is not valid UTF-8; expected percent-encoded UTF-8")]
    NotUtf8 { name: &'static str },
    #[error("{name} is missing or empty")]
    Missing { name: &'static str },
    #[error("{name} is {length} bytes long; expected at most {length_max}")]
    TooLong { name: &'static str, length: usize, length_max: usize },
    #[error("{name} is {found:?}; expected a whole number from {least} to {most}")]
    NotInRange { name: &'static str, found: String, least: i64, most: i64 },
    #[error("{0} and {1} cannot be used together; give only one")]
    Exclusive(&'static str, &'static str),
}

/// The first value of `name`, decoded: `+` is a space, a stray `%` is itself (as in the URL standard).
pub(crate) fn value<'a>(query: &'a str, name: &'static str) -> Result<Option<Cow<'a, str>>, QueryError> {
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key).is_some_and(|key| key == name) {
            return decode(value).ok_or(QueryError::NotUtf8 { name }).map(Some);
        }
    }
    Ok(None)
}

/// The first value of `name` as a whole number within the bounds, both included.
pub(crate) fn number(query: &str, name: &'static str, least: i64, most: i64) -> Result<Option<i64>, QueryError> {
    let Some(found) = value(query, name)? else { return Ok(None) };
    let digits = !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_digit());
    match found.parse::<i64>() {
        Ok(number) if digits && (least..=most).contains(&number) => Ok(Some(number)),
        // Quote no more of it than tells it apart: the value may be kilobytes long.
        _ => Err(QueryError::NotInRange { name, found: found.chars().take(40).collect(), least, most }),
    }
}

fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains(['+', '%']) {
        return Some(Cow::Borrowed(raw));
    }
    let spaced = raw.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_name_wins_and_is_decoded() {
        for (query, expected) in [
            ("", None),
            ("other=1", None),
            ("message", Some("")),
            ("message=", Some("")),
            ("message=a&message=b", Some("a")),
            ("x=1&message=a+b%2Bc", Some("a b+c")),
            ("mess%61ge=%C3%A9", Some("é")),
            ("message=100%", Some("100%")),
            ("message=a=b", Some("a=b")),
            ("%FF=1&message=a", Some("a")),
        ] {
            assert_eq!(value(query, "message").unwrap().as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert_eq!(value("message=%FF", "message"), Err(QueryError::NotUtf8 { name: "message" }));
        assert_eq!(value("message=%ED%A0%80", "message"), Err(QueryError::NotUtf8 { name: "message" }));
    }

    #[test]
    fn a_number_is_digits_within_its_bounds() {
        assert_eq!(number("limit=1000", "limit", 1, 1000), Ok(Some(1000)));
        assert_eq!(number("", "limit", 1, 1000), Ok(None));
        for bad in ["limit", "limit=", "limit=0", "limit=1001", "limit=-1", "limit=%2B5", "limit=5.0", "limit=+5"] {
            assert!(number(bad, "limit", 1, 1000).is_err(), "{bad}");
        }
        assert!(number("before=9223372036854775808", "before", 0, i64::MAX).is_err());
    }
}
