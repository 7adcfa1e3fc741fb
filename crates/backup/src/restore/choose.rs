//! Which restore points fit a request. Pure: it looks at manifests only.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use jiff::Timestamp;

use crate::lineage::Lineage;
use crate::{Entry, Error, LineageSummary, Manifest, Name, Rejected, State};

/// Which restore point of a lineage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The newest good one.
    Latest,
    /// The newest good one whose snapshot began at this time or before.
    At(Timestamp),
    /// This one and no other.
    Name(Name),
}

/// A lineage as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineageChoice {
    /// `none`: databases without a lineage.
    None,
    /// An id or the beginning of one.
    Prefix(String),
}

impl FromStr for LineageChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "none" { Self::None } else { Self::Prefix(text.to_lowercase()) })
    }
}

impl LineageChoice {
    fn matches(&self, lineage: Option<&Lineage>) -> bool {
        match (self, lineage) {
            (Self::None, None) => true,
            (Self::Prefix(prefix), Some(lineage)) => lineage.as_str().starts_with(prefix),
            _ => false,
        }
    }
}

/// The restore points to try, best first.
pub(crate) fn candidates(
    entries: &[Entry],
    choice: &Choice,
    lineage: Option<&LineageChoice>,
) -> Result<Vec<Manifest>, Error> {
    if let Choice::Name(name) = choice {
        return named(entries, name, lineage).map(|manifest| vec![manifest]);
    }
    let complete: Vec<&Manifest> = entries.iter().filter_map(Entry::manifest).collect();
    if complete.is_empty() {
        return Err(nothing_complete(entries));
    }
    let fitting = of_one_lineage(complete, lineage)?;
    let oldest = fitting[0].created_at;
    let newest_first = fitting.into_iter().rev().cloned();
    let &Choice::At(time) = choice else { return Ok(newest_first.collect()) };
    let before: Vec<Manifest> = newest_first.filter(|manifest| manifest.created_at <= time).collect();
    if before.is_empty() {
        return Err(no_fit(format!("none began at {time} or before, the oldest began at {oldest}")));
    }
    Ok(before)
}

/// Those of the chosen lineage, or of the only one; never empty.
fn of_one_lineage<'a>(complete: Vec<&'a Manifest>, choice: Option<&LineageChoice>) -> Result<Vec<&'a Manifest>, Error> {
    let fits = |manifest: &&Manifest| choice.is_none_or(|choice| choice.matches(manifest.lineage.as_ref()));
    let all = summaries(&complete);
    let fitting: Vec<&Manifest> = complete.into_iter().filter(fits).collect();
    let lineages = summaries(&fitting);
    match lineages.len() {
        0 => {
            let there = all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Err(no_fit(format!("no lineage begins with what --lineage says, there are: {there}")))
        }
        1 => Ok(fitting),
        // Guessing could put a new empty database in the place of the lost one.
        _ => Err(Error::SeveralLineages(lineages)),
    }
}

fn named(entries: &[Entry], name: &Name, lineage: Option<&LineageChoice>) -> Result<Manifest, Error> {
    match entries.iter().find(|entry| entry.name == *name).map(|entry| &entry.state) {
        None => Err(no_fit(format!("there is no {name}; see the names with `backup list`"))),
        Some(State::Incomplete { reason }) => {
            Err(Error::NothingGood { rejected: vec![Rejected { name: name.clone(), reason: reason.clone() }] })
        }
        Some(State::Complete { manifest }) => {
            let fits = lineage.is_none_or(|choice| choice.matches(manifest.lineage.as_ref()));
            let lineage = manifest.lineage.as_ref().map_or("none", Lineage::as_str);
            if fits { Ok((**manifest).clone()) } else { Err(no_fit(format!("{name} is of lineage {lineage}"))) }
        }
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

fn summaries(manifests: &[&Manifest]) -> Vec<LineageSummary> {
    let mut by_lineage: BTreeMap<Option<&Lineage>, (usize, Timestamp)> = BTreeMap::new();
    for manifest in manifests {
        let (count, newest) = by_lineage.entry(manifest.lineage.as_ref()).or_insert((0, manifest.created_at));
        *count += 1;
        *newest = (*newest).max(manifest.created_at);
    }
    let summary = |(lineage, (restore_points, newest)): (Option<&Lineage>, _)| LineageSummary {
        lineage: lineage.cloned(),
        restore_points,
        newest,
    };
    by_lineage.into_iter().map(summary).collect()
}

fn no_fit(reason: String) -> Error {
    Error::NoRestorePoint { reason }
}
