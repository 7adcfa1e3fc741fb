//! Removes the restore points that no rule keeps, lineage by lineage, never the last good one of any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lineage::Lineage;
use crate::retention::{self, Point, Policy, Reason};
use crate::verify::{self, Check};
use crate::{Error, Manifest, Name, Rejected, Repository, Writer};

/// What a prune did, or with a dry run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// What goes, oldest first in each lineage.
    pub removed: Vec<Name>,
    /// What stays.
    pub kept: Vec<Kept>,
    /// The lineages of which nothing was removed because no good restore point was found in them.
    pub unprotected: Vec<Unprotected>,
}

/// A restore point that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name.
    pub name: Name,
    /// Why; at least one reason.
    pub reasons: Vec<Reason>,
}

/// A lineage without any good restore point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unprotected {
    /// The lineage; `None` for databases without one.
    pub lineage: Option<Lineage>,
    /// What is wrong with each of its restore points.
    pub rejected: Vec<Rejected>,
}

/// Whether to remove anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Remove.
    Remove,
    /// Only tell.
    DryRun,
}

/// Applies `policy` to each lineage. Before anything of a lineage goes, its newest restore point with the right digest
/// is looked for and kept; `verified` is one known to be good, such as one just taken. Incomplete entries neither
/// count nor go.
///
/// # Errors
/// [`Error::Io`]; what was removed until then stays removed.
pub fn run(writer: &Writer, policy: Policy, verified: Option<&Name>, mode: Mode) -> Result<Pruned, Error> {
    let mut by_lineage: BTreeMap<Option<Lineage>, Vec<Manifest>> = BTreeMap::new();
    for manifest in writer.repository().manifests()? {
        by_lineage.entry(manifest.lineage.clone()).or_default().push(manifest);
    }
    let mut pruned = Pruned::default();
    for (lineage, manifests) in by_lineage {
        plan(writer.repository(), policy, verified, lineage, &manifests, &mut pruned)?;
    }
    if mode == Mode::Remove {
        for name in &pruned.removed {
            writer.remove(name)?;
        }
    }
    Ok(pruned)
}

fn plan(
    repository: &Repository,
    policy: Policy,
    verified: Option<&Name>,
    lineage: Option<Lineage>,
    manifests: &[Manifest],
    pruned: &mut Pruned,
) -> Result<(), Error> {
    let points: Vec<Point> = manifests.iter().map(point).collect();
    let mut rejected = Vec::new();
    let reasons = retention::decide(&policy, &points, |index| {
        let manifest = &manifests[index];
        if verified == Some(&manifest.name) {
            return Ok(true);
        }
        match verify::restore_point(repository, manifest, Check::None) {
            Ok(()) => Ok(true),
            Err(Error::Damaged { reason, .. }) => {
                rejected.push(Rejected { name: manifest.name.clone(), reason });
                Ok(false)
            }
            Err(error) => Err(error),
        }
    })?;
    if reasons.iter().flatten().any(|reason| *reason == Reason::NoneGood) {
        pruned.unprotected.push(Unprotected { lineage, rejected });
    }
    for (manifest, reasons) in manifests.iter().zip(reasons) {
        let name = manifest.name.clone();
        if reasons.is_empty() { pruned.removed.push(name) } else { pruned.kept.push(Kept { name, reasons }) }
    }
    Ok(())
}

fn point(manifest: &Manifest) -> Point {
    // No manifest says so yet.
    Point { sequence: manifest.sequence, created_at: manifest.created_at, suspect: false }
}
