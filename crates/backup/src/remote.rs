//! A repository off the machine: a bucket of an object store, or another directory.
//!
//! A restore point is stored there as its manifest, `NAME.json`, and as the *pieces* of its stored file, objects of a
//! fixed size in a folder of its own. Pieces rather than one object of many parts: each is sent and checked by itself,
//! so that an interrupted push goes on where it was on any store, no store keeps (and bills) invisible parts, and the
//! memory that is needed does not depend on the size of the database.
//!
//! The rule: a restore point exists if and only if its manifest does, which is created last, on condition that there
//! is none. A piece's key holds the digest of its content, so that nobody can overwrite one with another.

mod address;
mod bounded;
mod environment;
mod layout;
mod listing;
pub mod prune;
pub mod pull;
pub mod push;
pub mod seal;
mod sequence;
mod staged;
mod store;

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use futures_util::StreamExt as _;
use nix::unistd::syncfs;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use tokio::runtime::Runtime;

use crate::{Entry, Error, durable, openat};
use address::Address;
pub use store::Options;

/// Requests that are under way at the same time: enough to fill a line with latency, and a bound for memory.
const PARALLEL: usize = 4;

/// A bucket or a directory, as reached with the credentials of the environment.
pub struct Remote {
    address: Address,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl fmt::Debug for Remote {
    /// Nothing of the store: it holds the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}

/// How many bytes of a stored file are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes sent or received, and those that need not be.
    pub done: u64,
    /// Bytes there are.
    pub total: u64,
}

impl Remote {
    /// The repository at `url`: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`. Asks for nothing yet.
    ///
    /// # Errors
    /// [`Error::RemoteAddress`] if it is no such URL or what the environment says of its store makes no sense;
    /// [`Error::NoRepository`] if a directory does not exist.
    pub fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let address: Address = url.parse().map_err(|reason| Error::RemoteAddress { reason })?;
        let store = store::open(&address, options)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::remote("start to reach", address.to_string(), error))?;
        Ok(Self { address, store, runtime })
    }

    /// Every entry, as [`crate::Repository::entries`] gives them. Complete is one whose pieces are all there and have
    /// the sizes they should; their content takes a pull.
    ///
    /// # Errors
    /// [`Error::Remote`].
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let listing = self.block_on(listing::read(self))?;
        Ok(listing.entries())
    }

    /// Waits for work. What a store or the environment says must not end the program, though the store's client panics
    /// over an answer that it cannot send on, such as a credential with a newline.
    fn block_on<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        panic::catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(work))).unwrap_or_else(|_| {
            let reason = "the store's client failed over what it was told, see above; check its address and what gives it credentials";
            Err(Error::remote("use", self.address.to_string(), reason))
        })
    }

    fn key(&self, parts: &str) -> Path {
        let prefix = &self.address.prefix;
        parts.split('/').fold(prefix.clone(), |path, part| path.join(part))
    }

    /// An object as people would name it.
    fn url(&self, key: &Path) -> String {
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
        let object = self.url(key);
        move |error| Error::remote(action, object, store::explain(&error))
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
