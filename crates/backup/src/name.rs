//! The name of a restore point: `app-` and the instant its snapshot began, `app-20261122T180935.449Z`.
//!
//! Only this module knows the format. The name is for people; order is by sequence number.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "app-%Y%m%dT%H%M%S%.3fZ";

/// The name of a restore point, without a file extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A text that is no name of a restore point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid restore point name {0:?}: expected one like app-20261122T180935.449Z")]
pub struct NotAName(String);

impl Name {
    /// The name for a snapshot that began at `instant`, cut to milliseconds.
    pub fn at(instant: Timestamp) -> Self {
        Self(instant.strftime(FORMAT).to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file of the database's copy, `NAME.db`.
    pub fn database_file(&self) -> String {
        format!("{self}.db")
    }

    /// The file of the manifest, `NAME.json`.
    pub fn manifest_file(&self) -> String {
        format!("{self}.json")
    }
}

impl FromStr for Name {
    type Err = NotAName;

    /// Reads `NAME`, `NAME.db` or `NAME.json`, since people paste file names.
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let stem = text.strip_suffix(".db").or_else(|| text.strip_suffix(".json")).unwrap_or(text);
        let parsed = DateTime::strptime(FORMAT, stem).map_err(|_| NotAName(text.to_owned()))?;
        // The parser is lenient (white space, fewer digits): only the one canonical spelling names a file.
        let canonical = Self(parsed.strftime(FORMAT).to_string());
        if canonical.0 == stem { Ok(canonical) } else { Err(NotAName(text.to_owned())) }
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_says_when_the_snapshot_began() {
        let instant: Timestamp = "2026-11-22T18:09:35.449812Z".parse().unwrap();
        assert_eq!(Name::at(instant).as_str(), "app-20261122T180935.449Z");
    }

    #[test]
    fn only_the_canonical_spelling_is_a_name() {
        for good in ["app-20261122T180935.449Z", "app-20261122T180935.449Z.db", "app-20261122T180935.000Z.json"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "app-",
            "app-20261122T180935Z",
            "app-20261122T180935.44Z",
            "app-20261122T180935.4491Z",
            "app-20261322T180935.449Z",
            "app-20261122T180935.449Z.db.partial",
            " app-20261122T180935.449Z",
            "app- 20261122T180935.449Z",
            "../app-20261122T180935.449Z",
            "App-20261122T180935.449Z",
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn names_survive_a_round_trip_and_sort_by_time(a in 0i64..4_102_444_800_000, b in 0i64..4_102_444_800_000) {
            let name = |ms| Name::at(Timestamp::from_millisecond(ms).unwrap());
            prop_assert_eq!(name(a).as_str().parse::<Name>().unwrap(), name(a));
            prop_assert_eq!(a.cmp(&b), name(a).cmp(&name(b)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Name>();
        }
    }
}
