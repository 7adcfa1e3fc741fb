//! A repository off the machine: a bucket of an object store, or another directory.
//!
//! A restore point is stored there as its manifest, `NAME.json`, and as the *pieces* of its stored file, objects of a
//! fixed size in a folder of its own. What is known of it later is in further manifests, `NAME.INDEX.json`, of which the one
//! with the greatest index counts: objects are only ever created. Each of these *records* says which one it follows, see
//! [`head`]. Pieces rather than one object of many parts: each is sent and checked by itself,
//! so that an interrupted push goes on where it was on any store, no store keeps (and bills) invisible parts, and the
//! memory that is needed does not depend on the size of the database.
//!
//! The rule: a restore point exists if and only if a manifest of it does, which is created last, on condition that there
//! is none of its key. A piece's key holds the digest of its content, so that nobody can overwrite one with another.

mod address;
mod as_of;
mod bounded;
pub mod bucket;
mod create;
mod environment;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
pub mod head;
mod layout;
mod listing;
pub mod lock;
mod outline;
pub mod prune;
pub mod pull;
pub mod push;
pub mod retention;
pub mod seal;
mod sequence;
mod staged;
mod store;
mod transport;
pub mod versions;
mod words;

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use nix::unistd::syncfs;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::authenticity::VerifyKeys;
pub use crate::limits::Progress;
use crate::{Entry, Error, Name, durable, openat};
use address::Address;
use as_of::AsOf;
use bucket::Bucket;
pub use environment::redacted;
use head::{Head, Remembered};
use listing::Listing;
use lock::Lock;
use seal::Identities;
pub use store::Options;

/// Requests that are under way at the same time: enough to fill a line with latency, and a bound for memory.
const PARALLEL: usize = 4;

/// A bucket or a directory, as reached with the credentials of the environment.
pub struct Remote {
    address: Address,
    store: Arc<dyn ObjectStore>,
    /// What the store has no words for; only S3 has it.
    bucket: Option<Bucket>,
    /// The time as of which it is read; none for now.
    time: Option<Timestamp>,
    lock: Option<Lock>,
    runtime: Runtime,
    keys: VerifyKeys,
    /// For what is encrypted.
    identities: Identities,
    /// See [`Options::retries`].
    retries: usize,
}

impl fmt::Debug for Remote {
    /// Nothing of the store: it holds the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub struct Listed {
    pub entries: Vec<ListedEntry>,
    /// The record with the greatest index.
    pub head: Option<Head>,
    /// [`Error::History`], if it is not what was seen of it.
    pub doubt: Option<Error>,
}

#[derive(Debug, Serialize)]
pub struct ListedEntry {
    #[serde(flatten)]
    pub entry: Entry,
    /// Its newest record; `None` where an older version wrote it, or it is incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Head>,
}

impl Remote {
    /// The repository at `url`: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`. Asks for nothing yet.
    ///
    /// # Errors
    /// [`Error::RemoteAddress`] if it is no such URL or what the environment says of its store makes no sense;
    /// [`Error::NoRepository`] if a directory does not exist.
    pub fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let address: Address = url.parse().map_err(|reason| Error::RemoteAddress { reason })?;
        let (store, bucket) = store::open(&address, options)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::remote("start to reach", address.to_string(), error))?;
        let (keys, identities, retries) = (VerifyKeys::default(), Identities::default(), options.retries);
        Ok(Self { address, store, bucket, time: None, lock: options.lock, runtime, keys, identities, retries })
    }

    /// The same, where only what one of these keys signed is believed.
    #[must_use]
    pub fn believing(self, keys: VerifyKeys) -> Self {
        Self { keys, ..self }
    }

    /// The same, where these secret keys decrypt manifests and pieces. With any, a pull refuses what is not encrypted: that
    /// needs no key to be forged.
    #[must_use]
    pub fn reading(self, identities: Identities) -> Self {
        Self { identities, ..self }
    }

    /// Its URL, by which it is remembered.
    pub fn url(&self) -> String {
        self.address.to_string()
    }

    /// Every entry, as [`crate::Repository::entries`] gives them. Complete is one whose pieces are all there and have
    /// the sizes they should; their content takes a pull.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let listing = self.block_on(listing::read(self, &self.keys))?;
        Ok(listing.entries())
    }

    /// The same, with their records, and with what is wrong beside the heads that are known.
    pub fn list(&self, remembered: Option<&Remembered>, expected: Option<&Head>) -> Result<Listed, Error> {
        let there = self.block_on(listing::read(self, &self.keys))?;
        let record = |name: &Name| there.found.get(name).and_then(listing::Found::head);
        let entries =
            there.entries().into_iter().map(|entry| ListedEntry { record: record(&entry.name), entry }).collect();
        let doubt = self.doubt(&there, remembered, expected).map(|reason| self.history(reason));
        Ok(Listed { entries, head: there.head(), doubt })
    }

    /// What is wrong if its records are not those that were seen, or not in themselves as they should be.
    fn doubt(&self, there: &Listing, remembered: Option<&Remembered>, expected: Option<&Head>) -> Option<String> {
        let compare = |known: &Head| head::compare(known, &there.heads_beside(known)).err();
        // What there was at a time lacks what was seen since, and is as it should be.
        let remembered = remembered.filter(|_| self.time.is_none());
        let told = || remembered.and_then(|known| known.doubt.clone().or_else(|| compare(&known.head)));
        there.broken().or_else(told).or_else(|| expected.and_then(compare))
    }

    fn history(&self, reason: String) -> Error {
        Error::History { remote: self.url(), reason }
    }

    /// The repository as it was at a time of the store's clock, from the versions that the bucket keeps. Nothing can be pushed
    /// there or pruned.
    ///
    /// # Errors
    /// [`Error::RemoteAddress`] if it is no bucket of S3, or one that keeps no versions; [`Error::Remote`].
    pub fn as_of(mut self, time: Timestamp) -> Result<Self, Error> {
        let store = self.block_on(async {
            let bucket = self.bucket("--as-of")?;
            if bucket.keeps_versions().await? == Some(false) {
                let reason = format!("--as-of needs a bucket with versioning, which {} does not have", bucket.name(""));
                return Err(Error::RemoteAddress { reason });
            }
            AsOf::read(bucket, self.store.clone(), time).await
        })?;
        (self.store, self.time) = (Arc::new(store), Some(time));
        Ok(self)
    }

    /// Whether the store keeps what is overwritten and deleted, so that [`Remote::as_of`] can read it; `false` where that is
    /// not known.
    pub fn keeps_versions(&self) -> Result<bool, Error> {
        self.block_on(self.has_versions())
    }

    async fn has_versions(&self) -> Result<bool, Error> {
        let Some(bucket) = &self.bucket else { return Ok(false) };
        Ok(bucket.keeps_versions().await?.unwrap_or(false))
    }

    fn bucket(&self, what_for: &str) -> Result<&Bucket, Error> {
        let reason = || format!("{what_for} needs an S3 bucket (s3://), which {} is not", self.address);
        self.bucket.as_ref().ok_or_else(|| Error::RemoteAddress { reason: reason() })
    }

    /// Waits for work. What a store or the environment says must not end the program, though the store's client panics
    /// over an answer that it cannot send on, such as a credential with a newline.
    fn block_on<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        panic::catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(work))).unwrap_or_else(|_| {
            let reason = "the store's client rejected its configuration (see above); check the address and the \
            credentials";
            Err(Error::remote("use", self.address.to_string(), reason))
        })
    }

    fn key(&self, parts: &str) -> Path {
        let prefix = &self.address.prefix;
        parts.split('/').fold(prefix.clone(), |path, part| path.join(part))
    }

    /// An object as people would name it.
    fn object(&self, key: &Path) -> String {
        self.address.object(key)
    }

    /// Fails if an object of a directory lies behind what others planted there: the store's client follows links, and waits for
    /// the writer of a pipe.
    fn check_planted(&self, key: &Path) -> Result<(), String> {
        let (ObjectStoreScheme::Local, Ok(root)) = (&self.address.scheme, self.address.url.to_file_path()) else {
            return Ok(());
        };
        match openat::read(&root.join(key.as_ref())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!("it cannot be read: {error}")),
            _ => Ok(()),
        }
    }

    fn failed(&self, action: &'static str, key: &Path) -> impl FnOnce(object_store::Error) -> Error {
        let object = self.object(key);
        move |error| Error::remote(action, object, words::explain(&error))
    }

    /// Brings to disk what a directory was given whose file system syncs only as a whole. Others have done so already.
    fn settle(&self) -> Result<(), Error> {
        let (ObjectStoreScheme::Local, Ok(root)) = (&self.address.scheme, self.address.url.to_file_path()) else {
            return Ok(());
        };
        if durable::try_sync_directory(&root)? {
            return Ok(());
        }
        let synced = openat::directory(&root).and_then(|directory| Ok(syncfs(directory)?));
        synced.map_err(Error::io("sync the file system of", &root))
    }

    /// Deletes objects, which may be gone already.
    async fn delete(&self, keys: impl Iterator<Item = String>) -> Result<(), Error> {
        let keys: Vec<_> = keys.map(|key| Ok(self.key(&key))).collect();
        let mut deleted = self.store.delete_stream(futures_util::stream::iter(keys).boxed());
        while let Some(answer) = deleted.next().await {
            match answer {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("delete from", &self.address.prefix)(error)),
            }
        }
        Ok(())
    }
}
