//! Recovery objectives: the targets a drill is held against.

use std::time::Duration;

use jiff::SignedDuration;

/// RTO and RPO.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objectives {
    /// Recovery time objective: the longest outage that is acceptable.
    pub rto: Duration,
    /// Recovery point objective: the longest stretch of acknowledged writes whose loss is acceptable.
    pub rpo: Duration,
}

/// Parses a duration as people write it: `60s`, `1m30s`, `250ms`, `0s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let help = "write it with its unit, for example 60s, 1m30s or 250ms";
    let parsed: SignedDuration = text.parse().map_err(|_| format!("not a duration; {help}"))?;
    Duration::try_from(parsed).map_err(|_| format!("a duration cannot be negative; {help}"))
}

/// Parses a duration that must be longer than zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        positive => Ok(positive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_bare_number_or_a_negative_duration_is_refused() {
        assert!(duration("60").is_err());
        assert!(duration("-5s").is_err());
        assert!(duration("soon").is_err());
        assert!(positive_duration("0s").is_err());
    }
}
