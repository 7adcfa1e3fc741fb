//! What is in a remote repository: one listing of all its objects, and each manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _, UpdateVersion};

use super::layout::{Kind, Piece, RemoteManifest, kind_of};
use super::{PARALLEL, Remote};
use crate::bounds::{self, OBJECTS};
use crate::{Entry, Error, Manifest, Name, State};

/// All that is ours.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub found: BTreeMap<Name, Found>,
    pub pieces: Vec<Object>,
}

/// A manifest.
#[derive(Debug)]
pub(super) struct Found {
    /// What it says, or what is wrong with it.
    pub read: Result<RemoteManifest, String>,
    /// Which one was read, for who wants to replace it and no other.
    pub version: UpdateVersion,
    /// The length of what is kept of it.
    pub bytes: u64,
    /// Which piece is not there as it should be, if one is not.
    pub missing: Option<String>,
}

/// A piece that is stored.
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
    pub fn entries(&self) -> Vec<Entry> {
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

    pub fn manifests(&self) -> Vec<Manifest> {
        self.entries().iter().filter_map(Entry::manifest).cloned().collect()
    }

    /// The pieces of no manifest, which are those of a push that is under way or ended early.
    pub fn unowned(&self) -> impl Iterator<Item = &Object> {
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

/// The order of a repository that several may push to: by sequence, then by time.
fn order(manifest: &Manifest) -> (u64, Option<Timestamp>) {
    (manifest.sequence, Some(manifest.created_at))
}

/// Lists all objects and reads all manifests.
pub(super) async fn read(remote: &Remote) -> Result<Listing, Error> {
    let prefix = &remote.address.prefix;
    let mut listing = Listing::default();
    let mut names = Vec::new();
    for object in objects(remote, prefix).await? {
        let Some(relative) = relative(remote, &object) else { continue };
        match kind_of(&relative) {
            Some(Kind::Manifest(name)) => names.push(name),
            Some(Kind::Piece { folder, index, piece }) => {
                let modified =
                    Timestamp::from_second(object.last_modified.timestamp()).unwrap_or(Timestamp::UNIX_EPOCH);
                listing.pieces.push(Object { key: relative, folder, index, piece, bytes: object.size, modified });
            }
            None => {}
        }
    }
    let manifests = futures_util::stream::iter(names).map(|name| async move {
        let found = manifest(remote, &name).await?;
        Ok::<_, Error>(found.map(|found| (name, found)))
    });
    let mut manifests = manifests.buffer_unordered(PARALLEL);
    let mut bytes = 0;
    while let Some(found) = manifests.try_next().await? {
        let Some((name, found)) = found else { continue };
        bytes += found.bytes;
        if bytes > bounds::LISTING_BYTES {
            let max = bounds::LISTING_BYTES;
            let reason = format!("its manifests have more than {max} bytes; prune it, or begin another");
            return Err(Error::remote("list", remote.url(prefix), reason));
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
        let reason = format!("it has {OBJECTS} objects or more, expected fewer; prune it, or begin another");
        return Err(Error::remote("list", remote.url(below), reason));
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

/// One manifest, unless there is none.
pub(super) async fn manifest(remote: &Remote, name: &Name) -> Result<Option<Found>, Error> {
    let key = remote.key(&name.manifest_file());
    if let Err(reason) = remote.check_planted(&key) {
        let version = UpdateVersion { e_tag: None, version: None };
        return Ok(Some(Found { read: Err(reason), version, bytes: 0, missing: None }));
    }
    let answer = match remote.store.get(&key).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        answer => answer.map_err(remote.failed("read", &key))?,
    };
    let version = UpdateVersion { e_tag: answer.meta.e_tag.clone(), version: answer.meta.version.clone() };
    let size = answer.meta.size;
    let read = if size > bounds::REMOTE_MANIFEST_BYTES {
        Err(format!("its manifest has {size} bytes, expected at most {}", bounds::REMOTE_MANIFEST_BYTES))
    } else {
        let bytes = answer.bytes().await.map_err(remote.failed("read", &key))?;
        RemoteManifest::parse(name, &bytes)
    };
    let bytes = if read.is_ok() { size } else { 0 };
    Ok(Some(Found { read, version, bytes, missing: None }))
}

/// The first piece that is not there in its size.
fn missing(read: &RemoteManifest, sizes: &BTreeMap<&str, u64>) -> Option<String> {
    let pieces = &read.remote.pieces;
    read.remote.keys().zip(pieces).enumerate().find_map(|(index, (key, piece))| match sizes.get(key.as_str()) {
        Some(bytes) if *bytes == piece.bytes => None,
        found => {
            let found = found.map_or("none".to_owned(), u64::to_string);
            let (number, all) = (index + 1, pieces.len());
            Some(format!("piece {number} of {all}, {key}: size in bytes expected {}, found {found}", piece.bytes))
        }
    })
}
