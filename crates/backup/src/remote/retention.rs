//! Reads, sets and extends the locks of objects.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::path::Path;
use reqwest::Method;
use serde::Deserialize;

use super::bucket::{Ask, Bucket, parsed};
use super::lock::{Lock, LockMode};
use super::versions::Version;
use super::words::CREDENTIALS;
use super::{PARALLEL, Remote};
use crate::{Error, Name};

/// A lock is renewed once this part of its time is gone, so that not every push renews every lock.
const SLACK: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// What is written with a lock is locked.
    Asked,
    /// What is written is locked, for the time that the bucket has for it.
    Always,
    /// Nothing can be locked.
    Never,
    /// These credentials may not know.
    Unknown,
}

/// The lock of one version of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub mode: LockMode,
    pub until: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    mode: LockMode,
    retain_until_date: Timestamp,
}

impl Bucket {
    /// Whether it can lock.
    pub async fn locks(&self) -> Result<Locks, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Configuration {
            #[serde(default)]
            object_lock_enabled: String,
            rule: Option<serde::de::IgnoredAny>,
        }
        let failed = |reason: String| Error::remote("read the object lock of", self.name(""), reason);
        let answer = self.send(&Ask::new(Method::GET, "").query("object-lock", "")).await?;
        match answer.refusal() {
            None => {
                let found: Configuration = parsed(&answer.body).map_err(failed)?;
                Ok(match (found.object_lock_enabled.as_str(), found.rule) {
                    ("Enabled", Some(_)) => Locks::Always,
                    ("Enabled", None) => Locks::Asked,
                    _ => Locks::Never,
                })
            }
            Some(refusal) if refusal.status == 403 => Ok(Locks::Unknown),
            // Stores without locks say so in many ways.
            Some(refusal) if refusal.is_unsupported() => Ok(Locks::Never),
            Some(refusal) => Err(failed(refusal.to_string())),
        }
    }

    /// The lock of an object, or of one version of it; `None` if it has none.
    pub async fn retention(&self, key: &str, version: Option<&str>) -> Result<Option<Retention>, Error> {
        let mut ask = Ask::new(Method::GET, key).query("retention", "");
        if let Some(version) = version {
            ask = ask.query("versionId", version);
        }
        let failed = |reason: String| Error::remote("read the lock of", self.name(key), reason);
        let answer = self.send(&ask).await?;
        match answer.refusal() {
            None => {
                let Written { mode, retain_until_date: until } = parsed(&answer.body).map_err(failed)?;
                Ok(Some(Retention { mode, until }))
            }
            Some(refusal) if refusal.code == "NoSuchObjectLockConfiguration" => Ok(None),
            // No version of it, or a bucket that cannot lock.
            Some(refusal) if refusal.code == "NoSuchKey" || refusal.status == 405 => Ok(None),
            Some(refusal) => Err(failed(format!("{refusal}; {CREDENTIALS} (s3:GetObjectRetention)"))),
        }
    }

    /// What asks for a lock to be set, or changed.
    pub fn ask_retention<'a>(key: &'a str, version: &'a str, retention: Retention) -> Ask<'a> {
        let Retention { mode, until } = retention;
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode><RetainUntilDate>{until}\
             </RetainUntilDate></Retention>",
            mode.as_str()
        );
        Ask::new(Method::PUT, key).query("retention", "").query("versionId", version).body(body.into_bytes())
    }

    /// Locks a version longer, unless it is locked until `least`.
    async fn extend(&self, version: &Version, lock: Lock, least: Timestamp) -> Result<(), Error> {
        let Version { key, id, .. } = version;
        let failed = |reason: String| Error::remote("lock", self.name(key), reason);
        let found = self.retention(key, Some(id)).await?;
        if found.is_some_and(|found| found.until >= least) {
            return Ok(());
        }
        let until = lock.until(Timestamp::now()).map_err(|error| failed(error.to_string()))?;
        // What binds everybody cannot be made to bind fewer.
        let mode = found.map_or(lock.mode, |found| found.mode.max(lock.mode));
        let answer = self.send(&Self::ask_retention(key, id, Retention { mode, until })).await?;
        match answer.refusal() {
            None => Ok(()),
            Some(refusal) => Err(failed(format!("{refusal}; {CREDENTIALS} (s3:PutObjectRetention)"))),
        }
    }
}

/// Refuses a lock where the bucket has none, before anything is sent. Who may not know finds out from what was sent first.
pub(super) async fn expect_locking(remote: &Remote) -> Result<(), Error> {
    if remote.lock.is_none() {
        return Ok(());
    }
    let bucket = remote.bucket("--lock-for")?;
    if bucket.locks().await? != Locks::Never {
        return Ok(());
    }
    let reason = format!(
        "--lock-for needs a bucket with object lock, which {} does not have; turn it on (aws s3api \
         put-object-lock-configuration, on a bucket with versioning), or omit --lock-for; nothing was sent",
        bucket.name("")
    );
    Err(Error::RemoteAddress { reason })
}

/// Sees to it that the objects of a restore point are locked, from now on for at least nine tenths of the time there is for
/// it. The first of `keys`, relative to the repository, is written before all others and renewed after them, so that it
/// answers for them unless `each` is to be looked at.
pub(super) async fn hold(
    remote: &Remote,
    name: &Name,
    keys: impl Iterator<Item = String>,
    each: bool,
) -> Result<(), Error> {
    let Some(lock) = remote.lock else { return Ok(()) };
    let bucket = remote.bucket("--lock-for")?;
    let failed = |error: jiff::Error| Error::remote("lock", bucket.name(name.as_str()), error);
    let least = Timestamp::now().checked_add(lock.span - lock.span / SLACK).map_err(failed)?;
    let versions = bucket.first_and_last(&format!("{}{name}.", bucket.prefix())).await?;
    let versions = own(remote, bucket, &versions, keys)?;
    let Some((first, others)) = versions.split_first() else { return Ok(()) };
    let known = bucket.retention(&first.key, Some(&first.id)).await?;
    if !each && known.is_some_and(|known| known.until >= least) {
        return Ok(());
    }
    let extended = others.iter().map(|version| bucket.extend(version, lock, least));
    futures_util::stream::iter(extended).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    bucket.extend(first, lock, least).await?;
    if bucket.retention(&first.key, Some(&first.id)).await?.is_some_and(|found| found.until >= least) {
        return Ok(());
    }
    let reason = "the store accepted the lock but did not set it, so it does not support locks; omit --lock-for, or use \
    another store";
    Err(Error::remote("lock", bucket.name(&first.key), reason))
}

/// The versions of these objects, the first of each before its last. One that is not listed cannot be locked, and nobody may
/// think that it is.
fn own<'a>(
    remote: &Remote,
    bucket: &Bucket,
    versions: &'a BTreeMap<String, Vec<Version>>,
    keys: impl Iterator<Item = String>,
) -> Result<Vec<&'a Version>, Error> {
    let unlisted = |key: &Path| {
        let reason = "the bucket lists no version of it; push again";
        Error::remote("lock", bucket.name(key.as_ref()), reason)
    };
    let mut own = Vec::new();
    for key in keys.map(|key| remote.key(&key)) {
        own.extend(versions.get(key.as_ref()).ok_or_else(|| unlisted(&key))?.iter().rev());
    }
    Ok(own)
}

/// Those of these objects of a bucket that can lock which are locked now, each with the end of its lock.
pub(super) async fn locked(
    remote: &Remote,
    bucket: Option<&Bucket>,
    keys: impl Iterator<Item = String>,
) -> Result<BTreeMap<String, Timestamp>, Error> {
    let Some(bucket) = bucket else { return Ok(BTreeMap::new()) };
    let now = Timestamp::now();
    let asked = keys.map(|key| async move {
        let found = bucket.retention(remote.key(&key).as_ref(), None).await?;
        Ok::<_, Error>(found.map(|found| (key, found.until)))
    });
    let found: Vec<_> = futures_util::stream::iter(asked).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(found.into_iter().flatten().filter(|(_, until)| *until > now).collect())
}

/// The bucket, if there may be locks in it. Where these credentials may not know, nothing counts as locked: whatever is deleted
/// then, the store keeps what is.
pub(super) async fn locking(remote: &Remote) -> Result<Option<&Bucket>, Error> {
    let Some(bucket) = &remote.bucket else { return Ok(None) };
    let locks = bucket.locks().await?;
    if locks == Locks::Unknown {
        tracing::warn!(
            "these credentials cannot read locks (s3:GetBucketObjectLockConfiguration); locked objects will be \
             hidden, but the store keeps them"
        );
    }
    Ok(matches!(locks, Locks::Asked | Locks::Always).then_some(bucket))
}
