//! A thief who has the service's own credentials, those of the environment, and what has to hold for what he leaves to be
//! enough.

use std::collections::BTreeSet;
use std::env;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use backup::remote::Options;
use backup::remote::bucket::{Ask, Bucket};
use backup::remote::lock::LockMode;
use backup::remote::retention::{Locks, Retention};
use backup::remote::versions::Version;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use tokio::time::Instant;

use crate::platform::{Deed, DeedKind, Theft};

/// What asks `backup push` for locks.
const LOCK_FOR: &str = "BACKUP_LOCK_FOR";

/// How long the store's clock may stand still.
const CLOCK_LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked at.
const CLOCK_POLL: Duration = Duration::from_millis(100);

/// When a shortened lock would end. S3 takes no end in the past.
const SHORT: SignedDuration = SignedDuration::from_secs(5);

const JUNK: &[u8] = b"nothing of value";

/// Checks that the bucket keeps what is overwritten, and locks what is written.
pub(super) async fn expect_locks(remote: &str) -> Result<()> {
    let bucket = open(remote)?;
    if bucket.keeps_versions().await? == Some(false) {
        bail!("versioning is off in {remote}, so overwritten objects are lost; turn it on");
    }
    let says_lock = env::var_os(LOCK_FOR).is_some_and(|span| !span.is_empty());
    match bucket.locks().await? {
        Locks::Never => {
            bail!("object lock is off in {remote}, so whoever may delete can delete everything; turn it on")
        }
        Locks::Asked | Locks::Unknown if !says_lock => {
            bail!(
                "nothing asks for locks: set {LOCK_FOR}, such as {LOCK_FOR}=1h, or give the bucket a default retention"
            )
        }
        _ => Ok(()),
    }
}

/// The store's time now.
pub(super) async fn now(remote: &str) -> Result<Timestamp> {
    Ok(open(remote)?.now().await?)
}

/// Takes all that can be taken below a URL, once the store's clock shows a time after all that was written there until now.
pub(super) async fn rob(remote: &str) -> Result<Theft> {
    let bucket = open(remote)?;
    let as_of = bucket.now().await?;
    let began = Instant::now();
    while bucket.now().await? <= as_of {
        ensure!(began.elapsed() < CLOCK_LIMIT, "the clock of the store has stood at {as_of} for {CLOCK_LIMIT:?}");
        tokio::time::sleep(CLOCK_POLL).await;
    }
    let mut versions: Vec<Version> = Vec::new();
    let keep = |version: Version| {
        versions.extend((version.bytes.is_some() && version.modified <= as_of).then_some(version));
        ControlFlow::Continue(())
    };
    bucket.each_version(&bucket.prefix(), keep).await?;
    ensure!(!versions.is_empty(), "{remote} was empty at {as_of}");
    let forged = forged(&bucket, &versions).await?;
    let mut deeds = Vec::new();
    // Locks first: what holds after that holds against the rest.
    for (kind, tries) in [
        (DeedKind::Append, appended(&forged)),
        (DeedKind::ShortenLock, shortened(&versions)),
        (DeedKind::OverrideLock, overriding(shortened(&versions))),
        (DeedKind::Overwrite, overwritten(&versions)),
        (DeedKind::Delete, deleted(&versions)),
        (DeedKind::DeleteVersion, deleted_for_good(&versions)),
        (DeedKind::OverrideAndDelete, overriding(deleted_for_good(&versions))),
    ] {
        deeds.push(done(&bucket, kind, tries).await?);
    }
    Ok(Theft { as_of, deeds })
}

fn open(remote: &str) -> Result<Bucket> {
    // As `backup` has them, so that a certificate it trusts is trusted here.
    let ca = env::var_os("BACKUP_REMOTE_CA").map(Into::into);
    let options = Options { timeout: Duration::from_secs(60), retries: 4, ca, lock: None };
    Bucket::open(remote, &options).with_context(|| format!("cannot use {remote}"))
}

async fn done(bucket: &Bucket, kind: DeedKind, tries: Vec<Ask<'_>>) -> Result<Deed> {
    let mut deed = Deed { kind, allowed: 0, refused: 0, refusal: None };
    for ask in tries {
        match bucket.send(&ask).await?.refusal() {
            None => deed.allowed += 1,
            Some(refusal) => {
                deed.refused += 1;
                deed.refusal.get_or_insert_with(|| refusal.to_string());
            }
        }
    }
    Ok(deed)
}

/// The newest manifest under a name that sorts after all, and an object that is nothing.
async fn forged(bucket: &Bucket, versions: &[Version]) -> Result<Vec<(String, Vec<u8>)>> {
    let prefix = bucket.prefix();
    let manifests = versions.iter().filter(|version| version.key.ends_with(".json"));
    let newest = manifests.max_by_key(|version| version.modified).context("there is no manifest to forge")?;
    let content = bucket.send(&Ask::new(Method::GET, &newest.key)).await?;
    // The year of a name follows its last dash.
    let (name, time) = newest.key.rsplit_once('-').context("a manifest without a time in its name")?;
    let later = format!("{name}-9{}", time.get(1..).unwrap_or_default());
    Ok(vec![(later, content.body), (format!("{prefix}junk"), JUNK.to_vec())])
}

fn appended(forged: &[(String, Vec<u8>)]) -> Vec<Ask<'_>> {
    forged.iter().map(|(key, content)| Ask::new(Method::PUT, key).body(content.clone())).collect()
}

fn shortened(versions: &[Version]) -> Vec<Ask<'_>> {
    let retention = Retention { mode: LockMode::Governance, until: soon() };
    versions.iter().map(|version| Bucket::ask_retention(&version.key, &version.id, retention)).collect()
}

fn soon() -> Timestamp {
    let later = Timestamp::now() + SHORT;
    Timestamp::from_second(later.as_second()).unwrap_or(later)
}

fn overwritten(versions: &[Version]) -> Vec<Ask<'_>> {
    keys(versions).into_iter().map(|key| Ask::new(Method::PUT, key).body(JUNK.to_vec())).collect()
}

fn deleted(versions: &[Version]) -> Vec<Ask<'_>> {
    keys(versions).into_iter().map(|key| Ask::new(Method::DELETE, key)).collect()
}

fn deleted_for_good(versions: &[Version]) -> Vec<Ask<'_>> {
    versions
        .iter()
        .map(|version| Ask::new(Method::DELETE, &version.key).query("versionId", version.id.as_str()))
        .collect()
}

fn overriding(tries: Vec<Ask<'_>>) -> Vec<Ask<'_>> {
    tries.into_iter().map(|ask| ask.header("x-amz-bypass-governance-retention", "true")).collect()
}

fn keys(versions: &[Version]) -> BTreeSet<&str> {
    versions.iter().map(|version| version.key.as_str()).collect()
}
