//! Removes the restore points that no rule keeps, lineage by lineage, never the last good one of any.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::retention::{self, Point, Policy, Reason};
use crate::{Error, Identity, Manifest, Name, Rejected, Writer, clock, opaque, space, verify};

/// What a prune did, or with a dry run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// What goes, oldest first in each lineage.
    pub removed: Vec<Name>,
    pub kept: Vec<Kept>,
    /// Those of what goes that a rule would have kept, had there been space.
    #[serde(default)]
    pub for_space: Vec<Name>,
    /// What lies there beside the restore points, if space is limited.
    #[serde(default)]
    pub others_bytes: u64,
    /// What is still missing of the room for the next restore points, although nothing more may go.
    #[serde(default)]
    pub missing_bytes: u64,
    /// The lineages of which nothing was removed because no good restore point was found in them.
    pub unprotected: Vec<Unprotected>,
    /// Those of what stays whose times lie in the future: the clock was wrong when they were taken, or is now.
    #[serde(default)]
    pub ahead: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub name: Name,
    /// Why; at least one reason.
    pub reasons: Vec<Reason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unprotected {
    /// The lineage, or the id that the repository gave; `none` for databases from before there was one.
    pub identity: String,
    /// What is wrong with each of its restore points.
    pub rejected: Vec<Rejected>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Remove,
    DryRun,
}

/// Applies `policy` to each lineage. Before anything of a lineage goes, its newest restore point with the right digest
/// is looked for and kept; `verified` is one known to be good, such as one just taken. Incomplete entries neither
/// count nor go.
///
/// With `space`, in bytes, the oldest that only rules keep go too, of whatever lineage, until the rest and the
/// [room](space::wanted) for the next ones fit in it and in what the volume has.
///
/// # Errors
/// [`Error::Io`]; what was removed until then stays removed.
pub fn run(
    writer: &Writer,
    policy: Policy,
    space: Option<u64>,
    verified: Option<&Name>,
    mode: Mode,
) -> Result<Pruned, Error> {
    let repository = writer.repository();
    let manifests = repository.manifests()?;
    let look = |manifest: &Manifest| verify::digest(repository, manifest);
    let mut verdicts = Verdicts { look, known: verified.map(|name| (name.clone(), None)).into_iter().collect() };
    let now = Timestamp::now();
    let mut pruned = plan(policy, &manifests, now, &mut verdicts)?;
    if let Some(limit) = space {
        let available = space::available(repository, &manifests, limit)?;
        let by_rules = pruned.removed.clone();
        let mut later = manifests.iter().map(|manifest| manifest.sequence + 1);
        while stored_bytes(&manifests, &pruned.removed) > available
            && let Some(since_sequence) = later.next()
        {
            pruned = plan(Policy { since_sequence, ..policy }, &manifests, now, &mut verdicts)?;
        }
        pruned.for_space = pruned.removed.iter().filter(|name| !by_rules.contains(name)).cloned().collect();
        pruned.others_bytes = opaque::bytes(repository, &manifests)?;
        pruned.missing_bytes = stored_bytes(&manifests, &pruned.removed).saturating_sub(available);
    }
    if mode == Mode::Remove {
        for manifest in manifests.iter().filter(|manifest| pruned.removed.contains(&manifest.name)) {
            writer.remove(manifest)?;
        }
    }
    Ok(pruned)
}

fn stored_bytes(manifests: &[Manifest], removed: &[Name]) -> u64 {
    let stays = manifests.iter().filter(|manifest| !removed.contains(&manifest.name));
    stays.map(Manifest::stored_bytes).fold(0, u64::saturating_add)
}

/// What a policy removes of complete restore points.
pub(crate) fn plan<L: FnMut(&Manifest) -> Result<(), Error>>(
    policy: Policy,
    manifests: &[Manifest],
    now: Timestamp,
    verdicts: &mut Verdicts<L>,
) -> Result<Pruned, Error> {
    let mut by_identity: BTreeMap<Identity, Vec<&Manifest>> = BTreeMap::new();
    for manifest in manifests {
        by_identity.entry(manifest.identity()).or_default().push(manifest);
    }
    let mut pruned = Pruned::default();
    for (identity, manifests) in by_identity {
        let points: Vec<Point> = manifests.iter().map(|manifest| point(manifest, &manifests, now)).collect();
        let reasons = retention::decide(&policy, &points, now, |index| verdicts.is_good(manifests[index]))?;
        if reasons.iter().flatten().any(|reason| *reason == Reason::NoneGood) {
            let rejected = manifests.iter().filter_map(|manifest| verdicts.rejected(manifest)).rev().collect();
            pruned.unprotected.push(Unprotected { identity: identity.to_string(), rejected });
        }
        for (manifest, reasons) in manifests.into_iter().zip(reasons) {
            let name = manifest.name.clone();
            if !reasons.is_empty() && clock::is_ahead(manifest.current_at(now), now) {
                pruned.ahead.push(name.clone());
            }
            if reasons.is_empty() { pruned.removed.push(name) } else { pruned.kept.push(Kept { name, reasons }) }
        }
    }
    Ok(pruned)
}

/// What is wrong with the restore points that were looked at. Each is read once.
pub(crate) struct Verdicts<L> {
    /// Fails with [`Error::Damaged`] for a restore point that is not good.
    pub look: L,
    pub known: BTreeMap<Name, Option<String>>,
}

impl<L: FnMut(&Manifest) -> Result<(), Error>> Verdicts<L> {
    fn is_good(&mut self, manifest: &Manifest) -> Result<bool, Error> {
        if let Some(known) = self.known.get(&manifest.name) {
            return Ok(known.is_none());
        }
        let reason = match (self.look)(manifest) {
            Ok(()) => None,
            Err(Error::Damaged { reason, .. }) => Some(reason),
            Err(error) => return Err(error),
        };
        let is_good = reason.is_none();
        self.known.insert(manifest.name.clone(), reason);
        Ok(is_good)
    }

    fn rejected(&self, manifest: &Manifest) -> Option<Rejected> {
        let reason = self.known.get(&manifest.name)?.clone()?;
        Some(Rejected { name: manifest.name.clone(), reason })
    }
}

fn point(manifest: &Manifest, all: &[&Manifest], now: Timestamp) -> Point {
    // One that follows a suspect one stands for it where that one is not.
    let is_gone = |name: &Name| all.iter().all(|other| other.name != *name);
    let stands_for_it = manifest.trusted_at.is_none() && manifest.follows_suspect.as_ref().is_some_and(is_gone);
    Point {
        sequence: manifest.sequence,
        created_at: manifest.created_at,
        current_at: manifest.current_at(now),
        confirmed_after: manifest.confirmed_after,
        not_before: manifest.not_before,
        is_contradicted: manifest.is_contradicted(now),
        suspect: manifest.is_suspect() || stands_for_it,
    }
}
