//! The *head* of a remote repository: the record with the highest index that was seen there. It is stored out of reach
//! of those who write to the store, so that hidden or removed records are noticed.
//!
//! Only records that are believed count, see [`crate::authenticity`]. Two pushes at once may give two records one index, and
//! a prune takes records away, but never those of the greatest index.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::layout::{Chain, Link};
use crate::repository::REMOTES;
use crate::{Repository, records, source};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub index: u64,
    /// BLAKE3 of the object, in lower-case hexadecimal.
    pub blake3: String,
    /// Where it was; `None` if only its index and its digest are known.
    #[serde(flatten)]
    pub seen: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The head that was seen last, and was as it should be.
    #[serde(flatten)]
    pub head: Head,
    /// What was wrong when it was pushed to since. Later records do not put that right: somebody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its key, relative to the repository.
    pub key: String,
    /// When it was written, as its writer's clock had it.
    pub pushed_at: Timestamp,
    pub seen_at: Timestamp,
    /// BLAKE3 of the record that it follows.
    pub previous: Option<String>,
}

impl FromStr for Head {
    type Err = &'static str;

    /// Reads `INDEX:DIGEST`.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let expected = "expected INDEX:DIGEST as printed by push, pull and list --remote";
        let (index, digest) = text.split_once(':').ok_or(expected)?;
        let index = index.parse().map_err(|_| expected)?;
        let blake3 = blake3::Hash::from_hex(digest).map_err(|_| expected)?.to_hex().to_string();
        Ok(Self { index, blake3, seen: None })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.index, self.blake3)
    }
}

impl Head {
    /// Of a record.
    pub(super) fn of(chain: &Chain, record: &Link) -> Self {
        let seen = Seen {
            key: record.key.clone(),
            pushed_at: chain.pushed_at,
            seen_at: source::now(),
            previous: chain.previous.as_ref().map(|link| link.blake3.clone()),
        };
        Self { index: chain.index, blake3: record.blake3.clone(), seen: Some(seen) }
    }

    /// How people find it.
    fn describe(&self) -> String {
        let Self { index, blake3, seen } = self;
        match seen {
            Some(Seen { key, pushed_at, seen_at, .. }) => {
                let key = crate::text::printable(key);
                format!("record {index} ({key} of {pushed_at:.0}, BLAKE3 {}) was seen at {seen_at:.0}", short(blake3))
            }
            None => format!("record {index} (BLAKE3 {}) is expected", short(blake3)),
        }
    }

    /// Whether two pushes at once may have written both.
    fn is_beside(&self, other: &Self) -> bool {
        let follows = |head: &Self| head.seen.as_ref().map(|seen| seen.previous.clone());
        self.index == other.index && self.seen.is_some() && follows(self) == follows(other)
    }
}

/// Enough of a digest for people.
fn short(blake3: &str) -> String {
    blake3.chars().take(16).collect()
}

/// Holds what is there, in any order, against what was seen or is expected. The error says how the two differ, from when,
/// and what to do.
pub(super) fn compare(known: &Head, there: &[Head]) -> Result<(), String> {
    const NEXT: &str = "look for the missing objects in old versions or other copies, and change the credentials that \
    could have removed them; if the change was intended, pass --accept-rollback once";
    let newest = there.iter().max_by_key(|head| head.index);
    let Some(newest) = newest.filter(|newest| newest.index >= known.index) else {
        let found = newest.and_then(|head| Some((head.index, head.seen.as_ref()?.pushed_at)));
        let found = found.map_or("it has no valid record".to_owned(), |(index, at)| {
            format!("the newest record is {index} of {at:.0}")
        });
        return Err(format!("it was rolled back: {found}, but {}; {NEXT}", known.describe()));
    };
    let mut beside = there.iter().filter(|head| head.index == known.index).peekable();
    let Some(other) = beside.peek().copied() else { return Ok(()) };
    let is_there = beside.any(|head| head.blake3 == known.blake3);
    // That of another push may be left where its own was pruned, which the greatest never is.
    let is_pruned = || newest.index > known.index && there.iter().any(|head| known.is_beside(head));
    if is_there || is_pruned() {
        return Ok(());
    }
    let found = other.seen.as_ref().map_or(String::new(), |seen| format!(" of {:.0}", seen.pushed_at));
    Err(format!(
        "its history differs from record {}{found} on, which has BLAKE3 {}, but {}; {NEXT}",
        other.index,
        short(&other.blake3),
        known.describe()
    ))
}

fn path(repository: &Repository) -> PathBuf {
    repository.path().join(REMOTES)
}

/// What is remembered of the remote repository at a URL, if anything is. What is remembered and cannot be read is said:
/// it protects from nothing.
pub fn remembered(repository: &Repository, url: &str) -> Option<Remembered> {
    let path = path(repository);
    let read = records::read::<BTreeMap<String, Remembered>>(&path).map(|mut all| all.remove(url));
    read.unwrap_or_else(|error| {
        tracing::warn!("cannot detect a rollback of {url}, because {} cannot be read: {error}", path.display());
        None
    })
}

/// Remembers this in the place of what was before. That it cannot be remembered fails nothing that was done: it is said.
pub(super) fn remember(repository: &Repository, url: &str, head: Head, doubt: Option<String>) {
    let path = path(repository);
    let mut heads: BTreeMap<String, Remembered> = records::read(&path).unwrap_or_default();
    let is_known =
        |known: &Remembered| (known.head.index, &known.head.blake3, &known.doubt) == (head.index, &head.blake3, &doubt);
    if heads.get(url).is_some_and(is_known) {
        return;
    }
    let text = head.to_string();
    heads.insert(url.to_owned(), Remembered { head, doubt });
    if let Err(error) = records::write(&path, &heads) {
        let error = anyhow::Error::from(error);
        tracing::warn!(
            "cannot remember the head {text} of {url}, so a rollback to before it will not be detected from here: \
             {error:#}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(index: u64, digit: char, previous: char) -> Head {
        let digest = |digit: char| digit.to_string().repeat(64);
        let at = Timestamp::from_second(1_800_000_000 + i64::try_from(index).unwrap()).unwrap();
        let key = format!("app-20261122T180935.449Z.{index}.json");
        let seen = Seen { key, pushed_at: at, seen_at: at, previous: Some(digest(previous)) };
        Head { index, blake3: digest(digit), seen: Some(seen) }
    }

    #[test]
    fn what_goes_on_or_was_pruned_is_as_it_should_be() {
        let known = head(3, 'c', 'b');
        for there in [
            vec![known.clone()],
            vec![head(1, 'a', '0'), known.clone(), head(4, 'd', 'c')],
            vec![head(9, 'd', 'c')],
            // Another push wrote the same index at the same time.
            vec![known.clone(), head(3, 'e', 'b')],
            vec![head(3, 'e', 'b'), head(4, 'd', 'c')],
        ] {
            assert_eq!(compare(&known, &there), Ok(()), "{there:?}");
        }
    }

    #[test]
    fn what_is_shorter_or_another_says_from_when() {
        let known = head(3, 'c', 'b');
        for (there, said) in [
            (vec![], "it has no valid record"),
            (vec![head(1, 'a', '0'), head(2, 'b', 'a')], "rolled back: the newest record is 2 of 2027-01-15T08:00:02Z"),
            (vec![head(3, 'e', 'b')], "differs from record 3"),
            (vec![head(3, 'e', 'd'), head(4, 'f', 'e')], "differs from record 3 of 2027-01-15T08:00:03Z"),
        ] {
            let error = compare(&known, &there).unwrap_err();
            assert!(error.contains(said) && error.contains("app-20261122T180935.449Z.3.json"), "{error}");
        }
    }

    #[test]
    fn an_expected_head_is_read_as_it_is_printed() {
        let known = head(3, 'c', 'b');
        let expected: Head = known.to_string().parse().unwrap();
        assert_eq!((expected.index, &expected.blake3, &expected.seen), (3, &known.blake3, &None));
        assert!(compare(&expected, &[head(3, 'e', 'b'), head(4, 'f', 'e')]).is_err());
        for bad in ["", "3", "3:", "x:00", &format!("{}:{}", -1, known.blake3)] {
            assert!(bad.parse::<Head>().is_err(), "{bad}");
        }
    }
}
