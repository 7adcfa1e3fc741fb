//! The manifest of a restore point: a JSON file beside the copy, written last and read first.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::checked::{Check, Checked};
use crate::identity::{self, Source};
use crate::lineage::{Identity, Lineage};
use crate::{Name, Table, bounds, clock, json, self_digest};

/// The schema this version writes, and the only one it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// The greatest sequence number: what every reader of JSON can tell from its neighbours, and far more than are taken.
pub(crate) const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// What follows `.db` in the name of a compressed file.
pub(crate) const COMPRESSED: &str = ".zst";

/// All that is known of a restore point without opening its database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Its place in the order of the repository, over all lineages; greater is newer.
    pub sequence: u64,
    /// The name its files have.
    pub name: Name,
    /// The instant its snapshot began: every transaction committed before it is in the copy.
    pub created_at: Timestamp,
    /// The instant the copy had passed its checks, just before it was published.
    pub verified_at: Timestamp,
    /// The instant at which the database was last seen to hold the same as this restore point, if it was taken again
    /// without having changed; see [`Manifest::current_at`].
    #[serde(default)]
    pub confirmed_at: Option<Timestamp>,
    /// What was told before that: the confirmation before the last, or its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_after: Option<Timestamp>,
    /// The latest instant of an earlier confirmation, where the clock has gone back since: one of the two is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_ahead_at: Option<Timestamp>,
    /// Until when the one before of the same database was told to be current, where the clock has gone back since: one of
    /// the two times is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    pub size_bytes: u64,
    pub page_size: u32,
    pub page_count: u32,
    /// BLAKE3 of the database file, in lower-case hexadecimal.
    pub blake3: String,
    /// BLAKE3 of the database file without what tells a copy from its source, by which an unchanged source is known. `None`
    /// where an older version did not look.
    #[serde(default)]
    pub content_blake3: Option<String>,
    /// How the database file is stored, if not as it is.
    #[serde(default)]
    pub compressed: Option<Compressed>,
    /// The lineage of the database; `None` where it has none.
    pub lineage: Option<Lineage>,
    /// Where it was taken from. `None` where an older version did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The change counter in the header of the database: it never goes back while a file lives. `None` where nobody
    /// looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_counter: Option<u32>,
    /// By table of the user, how far its rows go. `None` where an older version did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeMap<String, Table>>,
    /// `sqlite_sequence` of the database: by table, the greatest AUTOINCREMENT key ever given out.
    pub high_water: BTreeMap<String, i64>,
    /// Whether there was a row in a table that collects data: one with AUTOINCREMENT, or, in a database without such
    /// tables, any but the lineage's and SQLite's own. `None` where an older version did not look.
    #[serde(default)]
    pub has_rows: Option<bool>,
    /// What SQLite said of the copy. `None` where an older version published only what it had found sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// What looked wrong about it beside its predecessor, when it was taken; empty for most.
    #[serde(default)]
    pub suspicions: Vec<Suspicion>,
    /// The suspect one that it comes after, if nothing had been put right until then, see [`crate::Error::Suspect`]. It is known
    /// from here also where that one is not, as in a remote repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_suspect: Option<Name>,
    /// The restore point that the database had been restored from since the restore point before this one was taken, by a
    /// restore on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<Name>,
    /// When somebody said that it is right although it is suspect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_at: Option<Timestamp>,
    /// The SQLite library that made the copy.
    pub sqlite_version: String,
    /// The version of this program that made it.
    pub tool_version: String,
    pub durations: Durations,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    /// From the begin of the snapshot to the last page written; in WAL mode, the source's read transaction is held that
    /// long.
    pub copy_seconds: f64,
    /// Without WAL, how long others were kept from committing at most. `None` in WAL mode, where nobody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_seconds: Option<f64>,
    /// Bringing the copy to disk, its digest and its checks, which overlap.
    pub verify_seconds: f64,
}

/// The file that a database file was compressed to, with zstd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compressed {
    pub bytes: u64,
    /// Its BLAKE3, in lower-case hexadecimal.
    pub blake3: String,
}

/// One thing that looks wrong about a restore point. It was published all the same: whether it is wrong, only people
/// can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// What sort of thing.
    pub kind: Kind,
    /// What was expected, because of which restore point, and what was found.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Its predecessor is of another database.
    OtherLineage,
    /// It holds no rows, and its predecessor does.
    Empty,
    /// Its file is less than half of its predecessor's.
    Shrunk,
    /// A key that was given out before is to be given out again.
    RolledBack,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Anybody may have written the manifest it was read from, and this reaches terminals.
        write!(f, "{}: {}", self.kind, crate::text::printable(&self.reason))
    }
}

impl Manifest {
    /// One of which no more is known.
    pub(crate) fn of(
        (sequence, name, created_at): (u64, Name, Timestamp),
        (size_bytes, page_size, page_count): (u64, u32, u32),
        blake3: String,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            sequence,
            name,
            created_at,
            verified_at: created_at,
            confirmed_at: None,
            confirmed_after: None,
            confirmed_ahead_at: None,
            not_before: None,
            size_bytes,
            page_size,
            page_count,
            blake3,
            content_blake3: None,
            compressed: None,
            lineage: None,
            source: None,
            change_counter: None,
            tables: None,
            high_water: BTreeMap::new(),
            has_rows: None,
            checked: None,
            suspicions: Vec::new(),
            follows_suspect: None,
            restored_from: None,
            trusted_at: None,
            sqlite_version: String::new(),
            tool_version: String::new(),
            durations: Durations { copy_seconds: 0.0, held_seconds: None, verify_seconds: 0.0 },
        }
    }

    pub fn stored_file(&self) -> String {
        let compressed = if self.compressed.is_some() { COMPRESSED } else { "" };
        format!("{}{compressed}", self.name.database_file())
    }

    pub fn stored_bytes(&self) -> u64 {
        self.compressed.as_ref().map_or(self.size_bytes, |compressed| compressed.bytes)
    }

    pub fn stored_blake3(&self) -> &str {
        self.compressed.as_ref().map_or(&self.blake3, |compressed| &compressed.blake3)
    }

    /// The last instant whose state of the database is known to be in it: all that was committed before is there. What lies
    /// after `now` was told by a wrong clock, and is believed only where there is nothing else.
    pub fn current_at(&self, now: Timestamp) -> Timestamp {
        let told = [Some(self.created_at), self.confirmed_at, self.confirmed_ahead_at];
        let (believed, doubted): (Vec<_>, Vec<_>) =
            told.into_iter().flatten().partition(|at| !clock::is_ahead(*at, now));
        believed.into_iter().max().or_else(|| doubted.into_iter().min()).unwrap_or(self.created_at)
    }

    /// Whether what clocks told of its confirmations contradicts itself, or lies after `now`.
    pub(crate) fn is_contradicted(&self, now: Timestamp) -> bool {
        let others = self.confirmed_ahead_at.max(Some(self.created_at));
        self.confirmed_at.is_some_and(|last| clock::is_ahead(last, now) || others > Some(last))
    }

    pub fn identity(&self) -> Identity {
        identity::of(self.lineage.as_ref(), self.source.as_ref())
    }

    /// Whether it looked, when it was taken, as if its database had been lost or exchanged, and nobody has said since that
    /// it is right.
    pub fn is_suspect(&self) -> bool {
        !self.suspicions.is_empty() && self.trusted_at.is_none()
    }

    /// How SQLite is to look at it: as it did when it was taken, unless something else is asked for.
    pub(crate) fn check(&self, asked: Option<Check>) -> Check {
        asked.or(self.checked.as_ref().map(|checked| checked.check)).unwrap_or_default()
    }

    /// Reads the manifest of `name` from the bytes of its file; the error says what is wrong with them.
    pub(crate) fn parse(name: &Name, bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Form {
            schema_version: u32,
            manifest_blake3: Option<String>,
        }
        let malformed = |error: serde_json::Error| format!("its manifest is malformed: {error}");
        // The version first: a newer schema must be called that, not malformed.
        let Form { schema_version, manifest_blake3 } = serde_json::from_slice(bytes).map_err(malformed)?;
        if schema_version != SCHEMA_VERSION {
            return Err(format!(
                "its manifest has schema {schema_version}, but this program reads schema {SCHEMA_VERSION}"
            ));
        }
        json::expect_distinct_keys(bytes).map_err(malformed)?;
        let manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        if manifest.name != *name {
            return Err(format!("its manifest belongs to {}", manifest.name));
        }
        if manifest.sequence > SEQUENCE_MAX {
            return Err(format!(
                "its sequence number is too high: expected at most {SEQUENCE_MAX}, found {}",
                manifest.sequence
            ));
        }
        for size in [manifest.size_bytes, manifest.stored_bytes()] {
            if size > bounds::DATABASE_BYTES {
                return Err(format!(
                    "its size in bytes is too large: expected at most {}, found {size}",
                    bounds::DATABASE_BYTES
                ));
            }
        }
        self_digest::check(bytes, manifest_blake3.as_deref())?;
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> serde_json::Value {
        serde_json::json!({
            "schema_version": 1, "sequence": 7, "name": "app-20261122T180935.449Z",
            "created_at": "2026-11-22T18:09:35.449812Z", "verified_at": "2026-11-22T18:09:36Z",
            "confirmed_at": "2026-11-22T18:10:35Z", "confirmed_after": "2026-11-22T18:10:05Z", "confirmed_ahead_at": "2026-11-22T18:11:35Z",
            "not_before": "2026-11-22T18:10:00Z", "size_bytes": 8192, "page_size": 4096, "page_count": 2,
            "blake3": "00", "content_blake3": "01", "compressed": {"bytes": 100, "blake3": "02"}, "lineage": null,
            "source": {"id": "0".repeat(32), "name": "shop", "path": "/data/app.db",
                "file": {"inode": 7, "born_at": "2026-11-22T18:00:00Z"}},
            "change_counter": 5, "tables": {"message": {"rows": true, "last": 3}},
            "checked": {"check": "quick", "verdict": "inconsistent", "findings": ["NULL value in t.n"]},
            "restored_from": "app-20261122T180835.449Z",
            "follows_suspect": "app-20261122T180735.449Z", "trusted_at": "2026-11-22T19:00:00Z",
            "high_water": {"message": 3}, "has_rows": true,
            "suspicions": [{"kind": "rolled-back", "reason": "expected, found"}], "sqlite_version": "3.51.0", "tool_version": "0.1.0",
            "durations": {"copy_seconds": 0.1, "verify_seconds": 0.2}
        })
    }

    fn parse(value: &serde_json::Value) -> Result<Manifest, String> {
        Manifest::parse(&"app-20261122T180935.449Z".parse().unwrap(), value.to_string().as_bytes())
    }

    #[test]
    fn schema_1_survives_a_round_trip() {
        let manifest = parse(&sample()).unwrap();
        assert_eq!(serde_json::to_value(&manifest).unwrap(), sample());
    }

    #[test]
    fn a_manifest_without_the_fields_that_came_later_is_read() {
        let mut older = sample();
        let later = [
            "has_rows",
            "suspicions",
            "confirmed_at",
            "content_blake3",
            "compressed",
            "confirmed_ahead_at",
            "not_before",
            "source",
        ];
        for field in later.into_iter().chain([
            "change_counter",
            "tables",
            "checked",
            "restored_from",
            "follows_suspect",
            "trusted_at",
        ]) {
            older.as_object_mut().unwrap().remove(field).unwrap();
        }
        let manifest = parse(&older).unwrap();
        assert_eq!((manifest.has_rows, manifest.is_suspect()), (None, false));
        assert_eq!((manifest.stored_bytes(), manifest.stored_blake3()), (8192, "00"));
        assert_eq!(manifest.current_at(Timestamp::MAX), manifest.created_at);
        assert_eq!((manifest.identity(), manifest.check(None)), (Identity::Unknown, Check::Quick));
    }

    #[test]
    fn no_confirmation_of_the_future_is_believed() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let (created_at, confirmed_at, ahead_at) =
            ("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z", "2030-01-01T00:00:00Z");
        let manifest = Manifest {
            created_at: at(created_at),
            confirmed_at: Some(at(confirmed_at)),
            confirmed_ahead_at: Some(at(ahead_at)),
            ..parse(&sample()).unwrap()
        };
        for (now, expected) in [
            ("2026-11-22T13:00:00Z", confirmed_at),
            ("2030-01-02T00:00:00Z", ahead_at),
            ("2026-11-22T11:00:00Z", created_at),
            ("2020-01-01T00:00:00Z", created_at),
        ] {
            assert_eq!(manifest.current_at(at(now)), at(expected), "{now}");
        }
        let contradicted = |confirmed_at: &str, ahead_at: Option<&str>, now: &str| {
            let confirmed_ahead_at = ahead_at.map(at);
            Manifest { confirmed_at: Some(at(confirmed_at)), confirmed_ahead_at, ..manifest.clone() }
                .is_contradicted(at(now))
        };
        let now = "2026-11-22T13:00:00Z";
        assert!(!contradicted(confirmed_at, None, now) && contradicted(confirmed_at, Some(ahead_at), now));
        assert!(contradicted("1996-01-01T00:00:00Z", None, now), "before it was created");
        assert!(contradicted(confirmed_at, Some("2026-11-22T12:30:00Z"), now) && contradicted(ahead_at, None, now));
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_said() {
        let name = "app-20261122T180935.449Z".parse().unwrap();
        let unknown = serde_json::json!({"schema_version": 2, "all": "new"});
        assert_eq!(parse(&unknown).unwrap_err(), "its manifest has schema 2, but this program reads schema 1");
        let mut other = sample();
        other["name"] = "app-20261122T180935.450Z".into();
        assert_eq!(parse(&other).unwrap_err(), "its manifest belongs to app-20261122T180935.450Z");
        for garbage in ["", "null", "{", "[1]", "{\"schema_version\":1}", "\u{0}\u{0}"] {
            assert!(Manifest::parse(&name, garbage.as_bytes()).unwrap_err().contains("malformed"), "{garbage}");
        }
    }
}
