//! Removes the restore points of a remote repository that no rule keeps, and what pushes left that never ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::listing::{self, Listing};
use super::{Remote, push, retention, staged};
use crate::prune::{Mode, Pruned, Verdicts, plan};
use crate::retention::Policy;
use crate::{Error, Name};

/// How old what belongs to no restore point has to be to be swept: no push takes that long, and none builds upon it
/// any more.
const LEFTOVER: Duration = push::REUSE.saturating_mul(2);

/// What a prune of a remote repository did, or with a dry run would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePruned {
    /// The restore points.
    #[serde(flatten)]
    pub pruned: Pruned,
    /// Objects, whole or not, of unfinished pushes that went, too.
    pub swept_objects: usize,
    /// Those that no rule keeps, but a lock.
    #[serde(default)]
    pub locked: Vec<Locked>,
    /// Whether the bucket keeps versions of what went: it takes up room until a rule of the bucket removes them.
    #[serde(default)]
    pub keeps_versions: bool,
}

/// A restore point that cannot go yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// Its name.
    pub name: Name,
    /// When the last lock of it ends.
    pub until: Timestamp,
}

/// Applies `policy` to each lineage, as [`crate::prune::run`] does. Good is here what is complete: its pieces are all
/// there and have the right sizes. Incomplete entries neither count nor go. What is locked stays, and the locks of what
/// a rule keeps are renewed if the remote repository was opened with one.
///
/// # Errors
/// [`Error::Remote`]; what was removed until then stays removed.
pub fn run(remote: &Remote, policy: Policy, mode: Mode) -> Result<RemotePruned, Error> {
    remote.block_on(async {
        retention::expect_locking(remote).await?;
        let there = listing::read(remote).await?;
        let mut pruned = plan(
            policy,
            &there.manifests(),
            Timestamp::now(),
            &mut Verdicts { look: |_: &_| Ok(()), known: BTreeMap::new() },
        )?;
        let mut leftovers = leftovers(&there);
        let mut locked = Vec::new();
        if retention::may_lock(remote).await? {
            locked = spare(remote, &there, &mut pruned).await?;
            let held = retention::locked(remote, leftovers.iter().cloned()).await?;
            leftovers.retain(|key| !held.contains_key(key));
        }
        let staged = staged::leftovers(remote, SystemTime::now() - LEFTOVER)?;
        let swept_objects = leftovers.len() + staged.len();
        let keeps_versions = !(pruned.removed.is_empty() && leftovers.is_empty()) && remote.has_versions().await?;
        if mode == Mode::Remove {
            for kept in &pruned.kept {
                hold(remote, &there, &kept.name).await?;
            }
            for name in &pruned.removed {
                remove(remote, &there, name).await?;
            }
            remote.delete(leftovers.into_iter()).await?;
            staged.iter().try_for_each(|path| staged::remove(path))?;
        }
        Ok(RemotePruned { pruned, swept_objects, locked, keeps_versions })
    })
}

/// Takes from what is to go what is locked: a restore point is if one of its objects is.
async fn spare(remote: &Remote, there: &Listing, pruned: &mut Pruned) -> Result<Vec<Locked>, Error> {
    let mut locked = Vec::new();
    for name in &pruned.removed {
        let Some(read) = there.found.get(name).and_then(|found| found.read.as_ref().ok()) else { continue };
        let held = retention::locked(remote, read.remote.objects(name)).await?;
        locked.extend(held.into_values().max().map(|until| Locked { name: name.clone(), until }));
    }
    let names: BTreeSet<&Name> = locked.iter().map(|locked| &locked.name).collect();
    pruned.removed.retain(|name| !names.contains(name));
    Ok(locked)
}

/// Renews the locks of what stays.
async fn hold(remote: &Remote, there: &Listing, name: &Name) -> Result<(), Error> {
    match there.found.get(name).map(|found| &found.read) {
        Some(Ok(read)) => retention::hold(remote, name, read.remote.objects(name), false).await,
        _ => Ok(()),
    }
}

/// The manifest first: a restore point is whole or is none.
async fn remove(remote: &Remote, there: &Listing, name: &Name) -> Result<(), Error> {
    remote.delete(std::iter::once(name.manifest_file())).await?;
    let read = there.found.get(name).and_then(|found| found.read.as_ref().ok());
    remote.delete(read.iter().flat_map(|read| read.remote.keys())).await
}

fn leftovers(there: &Listing) -> Vec<String> {
    let youngest = Timestamp::now() - LEFTOVER;
    there.unowned().filter(|object| object.modified < youngest).map(|object| object.key.clone()).collect()
}
