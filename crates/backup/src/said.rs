//! What people say on a command line: how long, how much, when. An answer to what is none of it has an example.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Reads `90s`, `10m`, `1h 30m` or `PT10M`.
///
/// # Errors
/// What is wrong with it, for people; so do the others here.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().map_err(|error| unlike(&error, "20s, 10m or 1h 30m"))?;
    parsed.try_into().map_err(|_| "a duration cannot be negative".to_owned())
}

/// Reads a duration of up to weeks; a day has 24 hours.
pub fn days(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let duration = span.map_err(|error| unlike(&error, "36h or 7d"))?;
    duration.try_into().map_err(|_| "a duration cannot be negative".to_owned())
}

/// Reads an instant, in the local time of any zone that it names.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error: jiff::Error| unlike(&error, "2026-11-22T18:09:35Z"))
}

/// Reads a size in bytes, `200MiB` or `1.5 GB`.
pub fn size(text: &str) -> Result<u64, String> {
    text.parse().map(|ByteSize(bytes)| bytes).map_err(|error| format!("{error}; expected one like 200MiB or 1.5GB"))
}

fn unlike(error: &jiff::Error, example: &str) -> String {
    format!("{error}; expected one like {example}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_is_answered_with_an_example() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(days("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(size("1KiB"), Ok(1024));
        assert!(time("2026-11-22T18:09:35+01:00").is_ok());
        assert!(duration("20").unwrap_err().contains("20s"));
        assert!(days("week").unwrap_err().contains("7d"));
        assert!(size("big").unwrap_err().contains("200MiB"));
        for text in ["yesterday", "2026-11-22", "2026-11-22 18:09"] {
            assert!(time(text).unwrap_err().ends_with("expected one like 2026-11-22T18:09:35Z"), "{text}");
        }
        for text in ["-1s", "-PT1S"] {
            assert_eq!(duration(text), Err("a duration cannot be negative".to_owned()));
        }
    }
}
