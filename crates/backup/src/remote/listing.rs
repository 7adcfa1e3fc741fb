//! What is in a remote repository: one listing of all its objects, and each manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::head::Head;
use super::layout::{Chain, Kind, Link, Piece, RemoteManifest, kind_of, record_key};
use super::{PARALLEL, Remote};
use crate::authenticity::VerifyKeys;
use crate::bounds::{self, OBJECTS};
use crate::manifest::SEQUENCE_MAX;
use crate::{Entry, Error, Manifest, Name, Rejected, State, source};

/// How far an index may be beyond those of records that are believed, and still be left room for: more than are written
/// between two looks, and far less than would use up the numbers there are.
const ROOM: u64 = 1_000_000;

/// All that is ours.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub found: BTreeMap<Name, Found>,
    pub pieces: Vec<Object>,
}

/// The records of a restore point.
#[derive(Debug)]
pub(super) struct Found {
    /// What the newest one says that is believed; if there is none, what is wrong with the newest of all.
    pub read: Result<RemoteManifest, String>,
    /// Which one that is.
    pub record: Option<Link>,
    pub bytes: u64,
    /// The keys of all, the newest first.
    pub keys: Vec<String>,
    /// What is wrong with those that are newer than the one that was read.
    pub refused: Vec<(String, String)>,
    /// Those of them that are not believed.
    pub unbelieved: Vec<Head>,
    /// The indexes that they have, or claim to have.
    pub claims: Vec<u64>,
    /// Which piece is not there as it should be, if one is not.
    pub missing: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    /// Relative to the repository.
    pub key: String,
    pub folder: String,
    pub index: usize,
    /// What its key says of it.
    pub piece: Piece,
    /// What the store says of its size.
    pub bytes: u64,
    pub modified: Timestamp,
}

impl Listing {
    pub(super) fn entries(&self) -> Vec<Entry> {
        let entry = |(name, found): (&Name, &Found)| {
            let state = match (&found.read, &found.missing) {
                (Ok(read), None) => State::Complete { manifest: Box::new(read.manifest.clone()) },
                (Ok(_), Some(reason)) | (Err(reason), _) => State::Incomplete { reason: reason.clone() },
            };
            Entry { name: name.clone(), state }
        };
        let mut entries: Vec<Entry> = self.found.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.manifest().map_or((u64::MAX, None), order));
        entries
    }

    pub(super) fn manifests(&self) -> Vec<Manifest> {
        self.entries().iter().filter_map(Entry::manifest).cloned().collect()
    }

    /// Those that are no restore points, as far as they are asked for, the newest name first.
    pub(super) fn rejected(&self, is_asked_for: impl Fn(&Name, &Found) -> bool) -> Vec<Rejected> {
        let found = self.found.iter().rev().filter(|(name, found)| is_asked_for(name, found));
        let rejected = found.filter_map(|(name, found)| {
            let reason = found.read.as_ref().err().or(found.missing.as_ref())?;
            Some(Rejected { name: name.clone(), reason: reason.clone() })
        });
        rejected.collect()
    }

    /// The records that are believed, in no order.
    pub(super) fn heads(&self) -> Vec<Head> {
        self.found.values().filter_map(Found::head).collect()
    }

    /// The same, and the one that is known, whoever is believed now: that it is there is all it has to prove.
    pub(super) fn heads_beside(&self, known: &Head) -> Vec<Head> {
        let unbelieved = self.found.values().flat_map(|found| &found.unbelieved);
        let known = unbelieved.filter(|head| (head.index, &head.blake3) == (known.index, &known.blake3));
        known.cloned().chain(self.heads()).collect()
    }

    /// The record with the greatest index.
    pub(super) fn head(&self) -> Option<Head> {
        self.heads().into_iter().max_by(|a, b| (a.index, &a.blake3).cmp(&(b.index, &b.blake3)))
    }

    /// The place of the next record, after all that are believed, or were before. Of others, those are respected that leave
    /// room for more.
    pub(super) fn next(&self, remembered: Option<&Head>) -> Result<Chain, String> {
        let head = self.head();
        let known = [head.as_ref(), remembered].into_iter().flatten().map(|head| head.index).max();
        let room = known.unwrap_or(0).saturating_add(ROOM);
        let claims = self.found.values().flat_map(|found| &found.claims).copied().filter(|claim| *claim <= room);
        let index = claims.chain(known).max().map_or(1, |last| last.saturating_add(1));
        if index > SEQUENCE_MAX {
            return Err(format!(
                "a record has the index {}, the highest possible, so no record can follow; move it away",
                index - 1
            ));
        }
        let link = |head: &Head| Some(Link { key: head.seen.as_ref()?.key.clone(), blake3: head.blake3.clone() });
        Ok(Chain { index, pushed_at: source::now(), previous: head.as_ref().and_then(link) })
    }

    /// Adds a record that was written or seen since.
    pub(super) fn add(&mut self, read: RemoteManifest, record: Link) {
        let index = read.chain.as_ref().map(|chain| chain.index);
        let name = read.manifest.name.clone();
        self.claim(&name, record.key.clone(), index);
        if let Some(found) = self.found.get_mut(&name) {
            (found.read, found.record, found.missing) = (Ok(read), Some(record), None);
        }
    }

    /// Adds that there is an object of this key.
    pub(super) fn claim(&mut self, name: &Name, key: String, index: Option<u64>) {
        let found = self.found.entry(name.clone()).or_insert_with(|| Found::without("its record is not trusted"));
        found.keys.insert(0, key);
        found.claims.extend(index);
    }

    /// Records that follow another than what has its key now; nobody may write one key twice.
    pub(super) fn broken(&self) -> Option<String> {
        let read = || self.found.values().filter_map(|found| Some((found.read.as_ref().ok()?, found.record.as_ref()?)));
        let digests: BTreeMap<&str, &str> = read().map(|(_, link)| (link.key.as_str(), link.blake3.as_str())).collect();
        read().find_map(|(read, link)| {
            let previous = read.chain.as_ref()?.previous.as_ref()?;
            let found = digests.get(previous.key.as_str()).filter(|found| **found != previous.blake3)?;
            let (key, expected) = (&previous.key, &previous.blake3);
            Some(format!(
                "{} follows {key} with BLAKE3 {expected}, but {key} now has {found}: it was replaced, or an older \
                 version of this program writes there; find out who writes there",
                link.key
            ))
        })
    }

    /// The pieces of no manifest, which are those of a push that is under way or ended early.
    pub(super) fn unowned(&self) -> impl Iterator<Item = &Object> {
        let owned: BTreeSet<String> = self
            .found
            .values()
            .filter_map(|found| found.read.as_ref().ok())
            .flat_map(|read| read.remote.keys())
            .collect();
        // What cannot be read may own anything in the folders of its name.
        let unknown: Vec<String> =
            self.found.iter().filter(|(_, found)| found.read.is_err()).map(|(name, _)| format!("{name}.")).collect();
        self.pieces.iter().filter(move |object| {
            !owned.contains(&object.key) && !unknown.iter().any(|name| object.folder.starts_with(name))
        })
    }
}

impl Found {
    /// Nothing that was read, for this reason.
    fn without(reason: &str) -> Self {
        Self {
            read: Err(reason.to_owned()),
            record: None,
            bytes: 0,
            keys: Vec::new(),
            refused: Vec::new(),
            unbelieved: Vec::new(),
            claims: Vec::new(),
            missing: None,
        }
    }

    /// The keys of the records that the one that was read stands for.
    pub(super) fn superseded(&self) -> Vec<String> {
        let later = self.keys.iter().skip_while(|key| self.record.as_ref().is_some_and(|record| record.key != **key));
        later.skip(1).cloned().collect()
    }

    /// The keys of the objects that it takes: its pieces, then the record that counts; none if none does.
    pub(super) fn objects(&self) -> Vec<String> {
        let read = self.read.as_ref().ok().zip(self.record.as_ref());
        read.map_or_else(Vec::new, |(read, record)| read.remote.keys().chain([record.key.clone()]).collect())
    }

    pub(super) fn head(&self) -> Option<Head> {
        Some(Head::of(self.read.as_ref().ok()?.chain.as_ref()?, self.record.as_ref()?))
    }
}

/// The order of a repository that several may push to: by sequence, then by time.
fn order(manifest: &Manifest) -> (u64, Option<Timestamp>) {
    (manifest.sequence, Some(manifest.created_at))
}

/// Lists all objects and reads the newest record of each restore point that one of the keys signed, if there are keys.
pub(super) async fn read(remote: &Remote, keys: &VerifyKeys) -> Result<Listing, Error> {
    let prefix = &remote.address.prefix;
    let mut listing = Listing::default();
    let mut records: BTreeMap<Name, BTreeSet<Option<u64>>> = BTreeMap::new();
    for object in objects(remote, prefix).await? {
        let Some(relative) = relative(remote, &object) else { continue };
        match kind_of(&relative) {
            Some(Kind::Record { name, index }) => drop(records.entry(name).or_default().insert(index)),
            Some(Kind::Piece { folder, index, piece }) => {
                let modified =
                    Timestamp::from_second(object.last_modified.timestamp()).unwrap_or(Timestamp::UNIX_EPOCH);
                listing.pieces.push(Object { key: relative, folder, index, piece, bytes: object.size, modified });
            }
            None => {}
        }
    }
    let records = futures_util::stream::iter(records).map(|(name, indexes)| async move {
        let found = newest(remote, keys, &name, indexes).await?;
        Ok::<_, Error>(found.map(|found| (name, found)))
    });
    let mut records = records.buffer_unordered(PARALLEL);
    let mut bytes = 0;
    while let Some(found) = records.try_next().await? {
        let Some((name, found)) = found else { continue };
        bytes += found.bytes;
        if bytes > bounds::LISTING_BYTES {
            let max = bounds::LISTING_BYTES;
            let reason = format!("its manifests have more than {max} bytes; prune it, or start another repository");
            return Err(Error::remote("list", remote.object(prefix), reason));
        }
        listing.found.insert(name, found);
    }
    let sizes: BTreeMap<&str, u64> = listing.pieces.iter().map(|object| (object.key.as_str(), object.bytes)).collect();
    for found in listing.found.values_mut() {
        found.missing = found.read.as_ref().ok().and_then(|read| missing(read, &sizes));
    }
    Ok(listing)
}

/// All objects of ours below a key.
pub(super) async fn objects(remote: &Remote, below: &Path) -> Result<Vec<ObjectMeta>, Error> {
    let list = || {
        remote.store.list(Some(below)).try_filter(|object| ready(is_ours(remote, object))).take(OBJECTS).try_collect()
    };
    let listed: Result<Vec<_>, _> = match list().await {
        // The store's client does not ask again where an answer broke off.
        Err(object_store::Error::Generic { .. }) => list().await,
        listed => listed,
    };
    let listed = listed.map_err(remote.failed("list", below))?;
    if listed.len() == OBJECTS {
        let reason = format!("it has {OBJECTS} objects or more; expected fewer; prune it, or start another repository");
        return Err(Error::remote("list", remote.object(below), reason));
    }
    Ok(listed)
}

/// What others keep in the bucket is not kept in memory, however much it is.
fn is_ours(remote: &Remote, object: &ObjectMeta) -> bool {
    relative(remote, object).is_some_and(|key| kind_of(&key).is_some())
}

/// The key of an object in the repository.
fn relative(remote: &Remote, object: &ObjectMeta) -> Option<String> {
    let parts = object.location.prefix_match(&remote.address.prefix)?;
    Some(parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
}

/// The newest record of a restore point that is believed. `None` if all are gone by now.
async fn newest(
    remote: &Remote,
    keys: &VerifyKeys,
    name: &Name,
    indexes: BTreeSet<Option<u64>>,
) -> Result<Option<Found>, Error> {
    let mut found = Found::without("its record is missing");
    found.claims.extend(indexes.iter().flatten());
    found.keys.extend(indexes.iter().rev().map(|index| record_key(name, *index)));
    for index in indexes.into_iter().rev() {
        let key = record_key(name, index);
        let Some(object) = get(remote, &key).await? else { continue };
        let bytes = match object {
            Ok(bytes) => bytes,
            Err(reason) => {
                found.refused.push((key, reason));
                continue;
            }
        };
        let record = Link { key, blake3: blake3::hash(&bytes).to_hex().to_string() };
        let read = RemoteManifest::parse(name, index, &bytes);
        let head = read.as_ref().ok().and_then(|read| Some(Head::of(read.chain.as_ref()?, &record)));
        found.claims.extend(head.as_ref().map(|head| head.index));
        match keys.check(&bytes).and(read).and_then(|read| read.open(&remote.identities, keys)) {
            Ok(read) => {
                (found.read, found.record, found.bytes) = (Ok(read), Some(record), bytes.len() as u64);
                break;
            }
            Err(reason) => {
                found.unbelieved.extend(head);
                found.refused.push((record.key, reason));
            }
        }
    }
    if found.record.is_none() {
        let Some((_, reason)) = found.refused.drain(..).next() else { return Ok(None) };
        found.read = Err(reason);
    }
    for (key, reason) in &found.refused {
        tracing::warn!("ignoring {}: {reason}", remote.object(&remote.key(key)));
    }
    Ok(Some(found))
}

/// The bytes of a record, or what is wrong with it; `None` if there is none.
pub(super) async fn get(remote: &Remote, key: &str) -> Result<Option<Result<Vec<u8>, String>>, Error> {
    let key = remote.key(key);
    if let Err(reason) = remote.check_planted(&key) {
        return Ok(Some(Err(reason)));
    }
    let answer = match remote.store.get(&key).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        answer => answer.map_err(remote.failed("read", &key))?,
    };
    let size = answer.meta.size;
    if size > bounds::REMOTE_MANIFEST_BYTES {
        let max = bounds::REMOTE_MANIFEST_BYTES;
        return Ok(Some(Err(format!("its manifest has {size} bytes; expected at most {max}"))));
    }
    let bytes = answer.bytes().await.map_err(remote.failed("read", &key))?;
    Ok(Some(Ok(bytes.into())))
}

/// The first piece that is not there in its size.
fn missing(read: &RemoteManifest, sizes: &BTreeMap<&str, u64>) -> Option<String> {
    let pieces = &read.remote.pieces;
    read.remote.keys().zip(pieces).enumerate().find_map(|(index, (key, piece))| match sizes.get(key.as_str()) {
        Some(bytes) if *bytes == piece.bytes => None,
        found => {
            let found = found.map_or("none".to_owned(), u64::to_string);
            let (number, all) = (index + 1, pieces.len());
            Some(format!("piece {number} of {all}, {key}: size in bytes: expected {}, found {found}", piece.bytes))
        }
    })
}
