//! Removes the restore points of a remote repository that no rule keeps, and what pushes left that never ended.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::listing::{self, Listing};
use super::{Remote, push, staged};
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
}

/// Applies `policy` to each lineage, as [`crate::prune::run`] does. Good is here what is complete: its pieces are all
/// there and have the right sizes. Incomplete entries neither count nor go.
///
/// # Errors
/// [`Error::Remote`]; what was removed until then stays removed.
pub fn run(remote: &Remote, policy: Policy, mode: Mode) -> Result<RemotePruned, Error> {
    remote.block_on(async {
        let there = listing::read(remote).await?;
        let pruned = plan(
            policy,
            &there.manifests(),
            Timestamp::now(),
            &mut Verdicts { look: |_: &_| Ok(()), known: BTreeMap::new() },
        )?;
        let leftovers = leftovers(&there);
        let staged = staged::leftovers(remote, SystemTime::now() - LEFTOVER)?;
        let swept_objects = leftovers.len() + staged.len();
        if mode == Mode::Remove {
            for name in &pruned.removed {
                remove(remote, &there, name).await?;
            }
            remote.delete(leftovers.into_iter()).await?;
            staged.iter().try_for_each(|path| staged::remove(path))?;
        }
        Ok(RemotePruned { pruned, swept_objects })
    })
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
