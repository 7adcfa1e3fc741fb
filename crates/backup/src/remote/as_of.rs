//! A bucket as it was at a given time, from the versions that it keeps. Read-only.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};

use super::bucket::Bucket;
use super::layout::kind_of;
use super::versions::Version;
use crate::Error;
use crate::bounds::OBJECTS;

/// What there was at a time.
#[derive(Debug)]
pub(super) struct AsOf {
    time: Timestamp,
    store: Arc<dyn ObjectStore>,
    there: BTreeMap<Path, ObjectMeta>,
}

impl AsOf {
    /// Of each object of a repository the newest version from this time or before, unless that says that it was deleted.
    pub(super) async fn read(bucket: &Bucket, store: Arc<dyn ObjectStore>, time: Timestamp) -> Result<Self, Error> {
        let prefix = bucket.prefix();
        let (mut there, mut last) = (BTreeMap::new(), String::new());
        let decide = |version: Version| {
            let is_ours = version.key.strip_prefix(&prefix).and_then(kind_of).is_some();
            // The newest come first: what follows of the same object was there before.
            if is_ours && version.modified <= time && version.key != last {
                last.clone_from(&version.key);
                there.extend(object(version).map(|object| (object.location.clone(), object)));
            }
            if there.len() < OBJECTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        bucket.each_version(&prefix, decide).await?;
        if there.len() < OBJECTS {
            return Ok(Self { time, store, there });
        }
        let reason = format!("it had {OBJECTS} objects or more at {time}");
        Err(Error::remote("read", bucket.name(&prefix), reason))
    }

    fn nothing_new(&self, operation: &str) -> StoreError {
        StoreError::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }
}

fn object(version: Version) -> Option<ObjectMeta> {
    Some(ObjectMeta {
        location: Path::parse(&version.key).ok()?,
        last_modified: SystemTime::from(version.modified).into(),
        size: version.bytes?,
        e_tag: None,
        version: Some(version.id),
    })
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as of {}", self.store, self.time)
    }
}

#[async_trait]
impl ObjectStore for AsOf {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> StoreResult<PutResult> {
        Err(self.nothing_new("put"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        Err(self.nothing_new("put_multipart"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let Some(known) = self.there.get(location) else {
            let source = format!("it did not exist at {}", self.time).into();
            return Err(StoreError::NotFound { path: location.to_string(), source });
        };
        let options = GetOptions { version: known.version.clone(), ..options };
        self.store.get_opts(location, options).await
    }

    fn delete_stream(&self, _: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        stream::iter([Err(self.nothing_new("delete"))]).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let below = |path: &Path| prefix.is_none_or(|prefix| path.prefix_matches(prefix));
        let found: Vec<_> =
            self.there.iter().filter(|(path, _)| below(path)).map(|(_, object)| Ok(object.clone())).collect();
        stream::iter(found).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> StoreResult<ListResult> {
        Err(self.nothing_new("list_with_delimiter"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        Err(self.nothing_new("copy"))
    }
}
