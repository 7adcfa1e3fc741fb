//! Removes the restore points of a remote repository that no rule keeps, and the remains of unfinished pushes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::listing::{self, Found, Listing};
use super::{Remote, push, retention, staged};
use crate::prune::{Kept, Mode, Pruned, Verdicts, plan};
use crate::retention::{Policy, Reason};
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    pub name: Name,
    /// When the last lock of it ends.
    pub until: Timestamp,
}

/// Applies `policy` to each lineage, as [`crate::prune::run`] does. Good is here what is complete: its pieces are all
/// there and have the right sizes. Incomplete entries neither count nor go. What has the record with the greatest index
/// stays, so that nobody takes a prune for a rollback; records that a later one of the same restore point stands for go.
/// What is locked stays, and the locks of what a rule keeps are renewed if the remote repository was opened with one.
///
/// # Errors
/// [`Error::Remote`]; what was removed until then stays removed.
pub fn run(remote: &Remote, policy: Policy, mode: Mode) -> Result<RemotePruned, Error> {
    remote.block_on(async {
        retention::expect_locking(remote).await?;
        let there = listing::read(remote, &remote.keys).await?;
        let mut pruned = plan(
            policy,
            &there.manifests(),
            Timestamp::now(),
            &mut Verdicts { look: |_: &_| Ok(()), known: BTreeMap::new() },
        )?;
        keep_the_head(&mut pruned, &there);
        let bucket = retention::locking(remote).await?;
        let locked = spare(remote, bucket, &there, &mut pruned).await?;
        let names = locked.iter().map(|locked| &locked.name).collect();
        let mut others = superseded(&there, &pruned, &names);
        let mut leftovers = leftovers(&there);
        for keys in [&mut others, &mut leftovers] {
            let held = retention::locked(remote, bucket, keys.iter().cloned()).await?;
            keys.retain(|key| !held.contains_key(key));
        }
        let staged = staged::leftovers(remote, SystemTime::now() - LEFTOVER)?;
        let swept_objects = leftovers.len() + staged.len();
        let is_anything_removed = !(pruned.removed.is_empty() && others.is_empty() && leftovers.is_empty());
        let keeps_versions = is_anything_removed && remote.has_versions().await?;
        if mode == Mode::Remove {
            for kept in &pruned.kept {
                let objects = there.found.get(&kept.name).map(Found::objects).unwrap_or_default();
                retention::hold(remote, &kept.name, objects.into_iter(), false).await?;
            }
            for name in &pruned.removed {
                remove(remote, &there, name).await?;
            }
            remote.delete(others.into_iter()).await?;
            remote.delete(leftovers.into_iter()).await?;
            staged.iter().try_for_each(|path| staged::remove(path))?;
        }
        Ok(RemotePruned { pruned, swept_objects, locked, keeps_versions })
    })
}

/// Takes from what is to go what is locked: a restore point is if one of its objects is.
async fn spare(
    remote: &Remote,
    bucket: Option<&Bucket>,
    there: &Listing,
    pruned: &mut Pruned,
) -> Result<Vec<Locked>, Error> {
    let mut locked = Vec::new();
    for name in &pruned.removed {
        let objects = there.found.get(name).map(Found::objects).unwrap_or_default();
        let held = retention::locked(remote, bucket, objects.into_iter()).await?;
        locked.extend(held.into_values().max().map(|until| Locked { name: name.clone(), until }));
    }
    let names: BTreeSet<&Name> = locked.iter().map(|locked| &locked.name).collect();
    pruned.removed.retain(|name| !names.contains(name));
    Ok(locked)
}

/// What has the greatest index, of two pushes at once both.
fn keep_the_head(pruned: &mut Pruned, there: &Listing) {
    let index = |name: &Name| {
        let read = there.found.get(name).and_then(|found| found.read.as_ref().ok());
        read.and_then(|read| Some(read.chain.as_ref()?.index))
    };
    let Some(head) = there.head().map(|head| head.index) else { return };
    let kept: Vec<Name> = pruned.removed.extract_if(.., |name| index(name) == Some(head)).collect();
    pruned.kept.extend(kept.into_iter().map(|name| Kept { name, reasons: vec![Reason::Head] }));
}

/// The records that a newer one stands for. What is not believed is not ours to remove.
fn superseded(there: &Listing, pruned: &Pruned, locked: &BTreeSet<&Name>) -> Vec<String> {
    let stays = |name: &&Name| !pruned.removed.contains(name) && !locked.contains(name);
    let found = there.found.iter().filter(|(name, found)| stays(name) && found.read.is_ok());
    found.flat_map(|(_, found)| found.superseded()).collect()
}

/// The records first: a restore point is whole or is none. Of several, the one that counts goes last, or an older one would
/// count meanwhile.
async fn remove(remote: &Remote, there: &Listing, name: &Name) -> Result<(), Error> {
    let Some(found) = there.found.get(name) else { return Ok(()) };
    remote.delete(found.superseded().into_iter()).await?;
    remote.delete(found.record.iter().map(|record| record.key.clone())).await?;
    let read = found.read.as_ref().ok();
    remote.delete(read.iter().flat_map(|read| read.remote.keys())).await
}

fn leftovers(there: &Listing) -> Vec<String> {
    let youngest = Timestamp::now() - LEFTOVER;
    there.unowned().filter(|object| object.modified < youngest).map(|object| object.key.clone()).collect()
}
