//! Which restore points fit a request. Pure: it looks at manifests only.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use jiff::Timestamp;

use crate::{Entry, Error, Identity, IdentitySummary, Manifest, Name, Rejected, State, suspicion};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The newest good one.
    Latest,
    /// The newest good one whose snapshot began at this time or before.
    At(Timestamp),
    Name(Name),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineageChoice {
    /// `none`: databases without a lineage.
    None,
    /// The beginning of a lineage, or of the id that the repository gave a database without one.
    Prefix(String),
}

impl FromStr for LineageChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "none" { Self::None } else { Self::Prefix(text.to_lowercase()) })
    }
}

impl LineageChoice {
    fn matches(&self, identity: &Identity) -> bool {
        match self {
            Self::None => !matches!(identity, Identity::Lineage(_)),
            Self::Prefix(prefix) => *identity != Identity::Unknown && identity.as_str().starts_with(prefix),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub choice: &'a Choice,
    pub lineage: Option<&'a LineageChoice>,
    /// The name that its source was given.
    pub source_name: Option<&'a str>,
    /// The path of the database it is for, as [`crate::Source`] has it.
    pub path: Option<&'a str>,
    /// Nobody looks at what is chosen, or something would be replaced: of a database that was never taken from that path,
    /// only what was asked for by name will do.
    pub is_strict: bool,
}

impl<'a> Wanted<'a> {
    /// By choice alone.
    #[cfg(feature = "remote")]
    pub(crate) fn new(choice: &'a Choice, lineage: Option<&'a LineageChoice>) -> Self {
        Self { choice, lineage, source_name: None, path: None, is_strict: false }
    }

    /// Whether it is of whom is asked for.
    pub(crate) fn matches(&self, manifest: &Manifest) -> bool {
        let of_source = || manifest.source.as_ref().and_then(|source| source.name.as_deref());
        self.lineage.is_none_or(|choice| choice.matches(&manifest.identity()))
            && self.source_name.is_none_or(|name| of_source() == Some(name))
    }

    fn is_explicit(&self) -> bool {
        self.lineage.is_some() || self.source_name.is_some()
    }
}

/// The restore points to try, best first, and what was passed over for them.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub best_first: Vec<Manifest>,
    pub suspects: Vec<Rejected>,
}

pub(crate) fn candidates(entries: &[Entry], wanted: &Wanted<'_>) -> Result<Candidates, Error> {
    if let Choice::Name(name) = wanted.choice {
        let best_first = vec![named(entries, name, wanted)?];
        return Ok(Candidates { best_first, ..Candidates::default() });
    }
    let complete: Vec<&Manifest> = entries.iter().filter_map(Entry::manifest).collect();
    if complete.is_empty() {
        return Err(nothing_complete(entries));
    }
    let fitting = of_one_identity(complete, wanted)?;
    match wanted.choice {
        Choice::At(time) => before(&fitting, *time),
        _ => newest(&fitting),
    }
}

fn before(fitting: &[&Manifest], time: Timestamp) -> Result<Candidates, Error> {
    let is_before = |manifest: &&&Manifest| manifest.created_at <= time;
    let best_first: Vec<Manifest> =
        fitting.iter().rev().filter(is_before).map(|manifest| (*manifest).clone()).collect();
    if best_first.is_empty() {
        let oldest = fitting[0].created_at;
        return Err(no_fit(format!("none began at or before {time}; the oldest began at {oldest}")));
    }
    Ok(Candidates { best_first, ..Candidates::default() })
}

/// The trusted ones, newest first. What was called suspect when it was taken is passed over. What came after that may be
/// all that is left of what was written since, or of a service that lost its database and went on: people are asked.
fn newest(fitting: &[&Manifest]) -> Result<Candidates, Error> {
    let trusted = suspicion::trusted(fitting);
    let newest_first = |manifests: &[&Manifest]| manifests.iter().rev().map(|manifest| (*manifest).clone()).collect();
    let Some(last) = trusted.iter().rposition(|is_trusted| *is_trusted) else {
        return Ok(Candidates { best_first: newest_first(fitting), ..Candidates::default() });
    };
    let newer = &fitting[last + 1..];
    if let Some(newest) = newer.iter().rev().find(|manifest| !manifest.is_suspect()) {
        return Err(Error::Suspect {
            newest: newest.name.clone(),
            reason: doubt(newer),
            trusted: fitting[last].name.clone(),
            trusted_at: fitting[last].created_at,
        });
    }
    let of = |(manifest, _): (&&Manifest, _)| (*manifest).clone();
    let suspects = newer.iter().rev().map(|manifest| rejected(manifest)).collect();
    let best_first = fitting.iter().zip(&trusted).rev().filter(|(_, is_trusted)| **is_trusted).map(of).collect();
    Ok(Candidates { best_first, suspects })
}

fn rejected(suspect: &Manifest) -> Rejected {
    Rejected { name: suspect.name.clone(), reason: format!("suspect, {}", doubt(&[suspect])) }
}

/// Why the newer ones are not trusted: the newest thing that was said of any.
fn doubt(newer: &[&Manifest]) -> String {
    let suspect = newer.iter().rev().find(|manifest| manifest.is_suspect());
    let said =
        suspect.map(|manifest| manifest.suspicions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    said.unwrap_or_else(|| "it follows a suspect one".to_owned())
}

/// Those of the chosen identity, or of the only one that it can be; never empty.
fn of_one_identity<'a>(complete: Vec<&'a Manifest>, wanted: &Wanted<'_>) -> Result<Vec<&'a Manifest>, Error> {
    let all = summaries(&complete);
    let fitting: Vec<&Manifest> = complete.into_iter().filter(|manifest| wanted.matches(manifest)).collect();
    let found = summaries(&fitting);
    let chosen = match found.as_slice() {
        [] => {
            let there = all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(no_fit(format!("none matches --lineage or --name; the repository holds: {there}")));
        }
        [only] if is_strange(only, wanted) => return Err(strange(only, wanted)),
        [only] => only,
        // Guessing could put a new empty database in the place of the lost one, or one's data in another's place.
        several => match at_path(several, wanted) {
            Some(there) => there,
            None => return Err(Error::SeveralLineages(found)),
        },
    };
    Ok(fitting.into_iter().filter(|manifest| manifest.identity() == chosen.identity).collect())
}

/// Whether nothing tells that the database that is asked for is this one.
fn is_strange(only: &IdentitySummary, wanted: &Wanted<'_>) -> bool {
    let is_elsewhere = wanted.path.is_some() && only.path.as_deref() != wanted.path;
    matches!(only.identity, Identity::Source(_)) && wanted.is_strict && !wanted.is_explicit() && is_elsewhere
}

fn strange(only: &IdentitySummary, wanted: &Wanted<'_>) -> Error {
    let path = wanted.path.unwrap_or_default();
    no_fit(format!(
        "the repository only holds those of another path than {path}: {only}; if it is the same database, pass \
         --lineage {}",
        only.identity.short()
    ))
}

/// The one of several that was taken from the path that is asked for. Of databases with a lineage it is not asked: the
/// lost one and the one that was made in its place have the same.
fn at_path<'a>(several: &'a [IdentitySummary], wanted: &Wanted<'_>) -> Option<&'a IdentitySummary> {
    let is_lineage = |summary: &&IdentitySummary| matches!(summary.identity, Identity::Lineage(_));
    let mut there = several.iter().filter(|summary| summary.path.is_some() && summary.path.as_deref() == wanted.path);
    let only = there.next().filter(|_| !wanted.is_explicit() && there.next().is_none())?;
    (!is_lineage(&only) || several.iter().filter(is_lineage).count() == 1).then_some(only)
}

fn named(entries: &[Entry], name: &Name, wanted: &Wanted<'_>) -> Result<Manifest, Error> {
    match entries.iter().find(|entry| entry.name == *name).map(|entry| &entry.state) {
        None => Err(no_fit(format!("{name} does not exist; list the names with `backup list`"))),
        Some(State::Incomplete { reason }) => {
            Err(Error::NothingGood { rejected: vec![Rejected { name: name.clone(), reason: reason.clone() }] })
        }
        Some(State::Complete { manifest }) if wanted.matches(manifest) => Ok((**manifest).clone()),
        Some(State::Complete { manifest }) => Err(no_fit(format!("{name} is of lineage {}", manifest.identity()))),
    }
}

fn nothing_complete(entries: &[Entry]) -> Error {
    let incomplete = entries.iter().filter_map(|entry| match &entry.state {
        State::Incomplete { reason } => Some(Rejected { name: entry.name.clone(), reason: reason.clone() }),
        State::Complete { .. } => None,
    });
    let rejected: Vec<Rejected> = incomplete.collect();
    if rejected.is_empty() { no_fit("the repository is empty".into()) } else { Error::NothingGood { rejected } }
}

/// Each identity, with what its newest restore point says.
fn summaries(manifests: &[&Manifest]) -> Vec<IdentitySummary> {
    let mut by_identity: BTreeMap<Identity, IdentitySummary> = BTreeMap::new();
    for manifest in manifests {
        let identity = manifest.identity();
        let source = manifest.source.as_ref();
        let summary = by_identity.entry(identity.clone()).or_insert_with(|| IdentitySummary {
            identity,
            label: None,
            path: None,
            restore_points: 0,
            newest: manifest.created_at,
        });
        summary.restore_points += 1;
        summary.newest = summary.newest.max(manifest.created_at);
        summary.path = source.map(|source| source.path.clone());
        summary.label = source.map(crate::Source::label);
    }
    by_identity.into_values().collect()
}

fn no_fit(reason: String) -> Error {
    Error::NoRestorePoint { reason }
}
