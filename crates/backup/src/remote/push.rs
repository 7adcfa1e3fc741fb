//! Sends restore points to a remote repository: first all pieces, then, if they are all there, the manifest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use object_store::{ObjectStoreExt as _, PutMode, PutPayload};
use serde::{Deserialize, Serialize};

use super::layout::{self, Encryption, PIECE_BYTES, Piece, RemoteManifest, Stored};
use super::listing::{self, Found, Listing};
use super::seal::{self, Recipient};
use super::{PARALLEL, Progress, Remote, retention, sequence};
use crate::restore::Choice;
use crate::restore::choose::{Wanted, candidates};
use crate::{Error, Identity, Manifest, Name, Rejected, Repository, self_digest, verify};

/// How old a piece of an unfinished push may be to be built upon. Much younger than what a prune sweeps, so that no
/// restore point is completed with a piece that is being swept.
pub(super) const REUSE: Duration = Duration::from_secs(12 * 3600);

/// What to push, and for whom.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which restore points.
    pub which: Which,
    /// Who can read them there, with their secret keys; everybody, if nobody is named. Manifests are not encrypted.
    pub recipients: Vec<Recipient>,
}

/// Which restore points to push.
#[derive(Clone, Debug)]
pub enum Which {
    /// The newest good one of each lineage.
    Newest,
    /// All that are not there yet.
    All,
    /// This one.
    Name(Name),
}

/// What a push did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The restore points that are there now and were not before.
    pub pushed: Vec<Sent>,
    /// Those that were there already.
    pub present: Vec<Name>,
    /// Those that are damaged here, and were not sent.
    pub rejected: Vec<Rejected>,
}

/// A restore point that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its name.
    pub name: Name,
    /// Size of what is stored there.
    pub bytes: u64,
    /// Bytes of it that had to be sent: fewer where an interrupted push was continued.
    pub sent_bytes: u64,
}

/// Pushes restore points of `repository`, which it only reads.
///
/// # Errors
/// [`Error::Remote`]; [`Error::OtherContent`] if there is another restore point of the same name;
/// [`Error::NoRestorePoint`] if there is nothing to push; [`Error::Damaged`] if the one that was named is. What was
/// pushed until then stays.
pub fn run(
    remote: &Remote,
    repository: &Repository,
    request: &Request,
    report: &mut dyn FnMut(Progress),
) -> Result<Pushed, Error> {
    let chosen = choose(repository, &request.which)?;
    remote.block_on(async {
        retention::expect_locking(remote).await?;
        let mut there = listing::read(remote).await?;
        let mut pushed = Pushed::default();
        for candidates in chosen {
            first_good((remote, repository), request, &candidates, &mut there, &mut pushed, report).await?;
        }
        if let (Which::Name(_), Some(rejected)) = (&request.which, pushed.rejected.first()) {
            return Err(Error::damaged(&repository.database(&rejected.name), rejected.reason.clone()));
        }
        Ok(pushed)
    })
}

/// Lists of restore points, of each of which one is to be pushed, the first that is good.
fn choose(repository: &Repository, which: &Which) -> Result<Vec<Vec<Manifest>>, Error> {
    let entries = repository.entries()?;
    if let Which::Name(name) = which {
        return Ok(vec![candidates(&entries, &Wanted::new(&Choice::Name(name.clone()), None))?.best_first]);
    }
    let manifests = entries.iter().filter_map(|entry| entry.manifest().cloned());
    let chosen: Vec<Vec<Manifest>> = match which {
        Which::All => manifests.map(|manifest| vec![manifest]).collect(),
        _ => newest_first(manifests),
    };
    if chosen.is_empty() {
        let reason = format!("{} holds none that is complete; take one first", repository.path().display());
        return Err(Error::NoRestorePoint { reason });
    }
    Ok(chosen)
}

fn newest_first(manifests: impl DoubleEndedIterator<Item = Manifest>) -> Vec<Vec<Manifest>> {
    let mut identities: BTreeMap<Identity, Vec<Manifest>> = BTreeMap::new();
    manifests.rev().for_each(|manifest| identities.entry(manifest.identity()).or_default().push(manifest));
    identities.into_values().collect()
}

async fn first_good(
    (remote, repository): (&Remote, &Repository),
    request: &Request,
    candidates: &[Manifest],
    there: &mut Listing,
    pushed: &mut Pushed,
    report: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    for manifest in candidates {
        match one((remote, repository), request, manifest, there, report).await {
            Ok(Some(sent)) => pushed.pushed.push(sent),
            Ok(None) => pushed.present.push(manifest.name.clone()),
            Err(Error::Damaged { path, reason }) if path.starts_with(repository.path()) => {
                tracing::warn!(name = %manifest.name, "not pushed, damaged: {reason}");
                pushed.rejected.push(Rejected { name: manifest.name.clone(), reason });
                continue;
            }
            // Readers take no lock, so a prune may be at work.
            Err(Error::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && !repository.holds(&manifest.name) =>
            {
                tracing::info!(name = %manifest.name, "not pushed, it was removed meanwhile");
                continue;
            }
            Err(error) => return Err(error),
        }
        return Ok(());
    }
    Ok(())
}

/// Pushes one restore point; `None` if it is there.
async fn one(
    (remote, repository): (&Remote, &Repository),
    request: &Request,
    local: &Manifest,
    there: &mut Listing,
    report: &mut dyn FnMut(Progress),
) -> Result<Option<Sent>, Error> {
    let found = there.found.get(&local.name);
    if let Some(found) = found {
        expect_same(remote, local, found)?;
        if let (Ok(read), None) = (&found.read, &found.missing) {
            confirm(remote, local, read, found).await?;
            retention::hold(remote, &local.name, read.remote.objects(&local.name), false).await?;
            return Ok(None);
        }
    }
    let recipients = &request.recipients;
    let folder = layout::folder(local, &seal::names(recipients));
    let (pieces, sent_bytes) = send((remote, repository), recipients, local, &folder, there, report).await?;
    let bytes: u64 = pieces.iter().map(|piece| piece.bytes).sum();
    let encryption = (!recipients.is_empty()).then_some(Encryption::Age);
    let stored = Stored { folder, encryption, pieces };
    confirm_sizes(remote, &stored).await?;
    // What an earlier push left may be locked for a shorter time.
    retention::hold(remote, &local.name, stored.keys(), sent_bytes < bytes).await?;
    let manifest = Manifest { sequence: sequence::of(local, &there.manifests(), Timestamp::now()), ..local.clone() };
    let described = RemoteManifest { manifest, remote: stored };
    let mode = found.map_or(PutMode::Create, |found| PutMode::Update(found.version.clone()));
    publish(remote, &described, mode).await?;
    let found = listing::manifest(remote, &local.name).await?;
    there.found.extend(found.map(|found| (local.name.clone(), found)));
    Ok(Some(Sent { name: local.name.clone(), bytes, sent_bytes }))
}

/// Hands on that the database was seen unchanged, later than is known there, and that somebody said it is right.
async fn confirm(remote: &Remote, local: &Manifest, read: &RemoteManifest, found: &Found) -> Result<(), Error> {
    let (now, there) = (Timestamp::now(), &read.manifest);
    if local.current_at(now) <= there.current_at(now) && local.trusted_at == there.trusted_at {
        return Ok(());
    }
    let Manifest { confirmed_at, confirmed_after, confirmed_ahead_at, trusted_at, .. } = *local;
    let manifest = Manifest { confirmed_at, confirmed_after, confirmed_ahead_at, trusted_at, ..there.clone() };
    let described = RemoteManifest { manifest, remote: read.remote.clone() };
    publish(remote, &described, PutMode::Update(found.version.clone())).await
}

/// Refuses to touch what is not the same restore point.
fn expect_same(remote: &Remote, local: &Manifest, found: &Found) -> Result<(), Error> {
    let there = remote.url(&remote.key(&local.name.manifest_file()));
    let reason = match &found.read {
        Err(reason) => format!("{reason}; move it away if it is of no use"),
        Ok(read) if read.manifest.blake3 != local.blake3 => format!(
            "BLAKE3 expected {}, found {}; give each service a prefix of its own",
            local.blake3, read.manifest.blake3
        ),
        Ok(_) => return Ok(()),
    };
    Err(Error::OtherContent { there, reason })
}

/// Sends the pieces that are not there; gives all, and the number of bytes that were sent.
async fn send(
    (remote, repository): (&Remote, &Repository),
    recipients: &[Recipient],
    local: &Manifest,
    folder: &str,
    there: &Listing,
    report: &mut dyn FnMut(Progress),
) -> Result<(Vec<Piece>, u64), Error> {
    let path = repository.stored_file(local);
    let mut file = File::open(&path).map_err(Error::io("open", &path))?;
    let total = local.stored_bytes();
    let (mut hasher, mut read_bytes, mut sent_bytes) = (blake3::Hasher::new(), 0, 0);
    let (mut pieces, mut uploads) = (Vec::new(), FuturesUnordered::new());
    let usable = usable(there, folder);
    loop {
        let mut content = Vec::with_capacity(PIECE_BYTES);
        (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut content).map_err(Error::io("read", &path))?;
        if content.is_empty() {
            break;
        }
        hasher.update(&content);
        read_bytes += content.len() as u64;
        // A file that grows would be sent for ever.
        if read_bytes > total {
            break;
        }
        let index = pieces.len();
        let there = usable.iter().find(|object| object.index == index && object.piece.holds(&content));
        if let Some(object) = there {
            pieces.push(object.piece.clone());
        } else {
            if uploads.len() == PARALLEL {
                uploads.try_next().await?;
            }
            let (piece, stored) = make(content, recipients).map_err(Error::io("encrypt", &path))?;
            sent_bytes += piece.bytes;
            uploads.push(put(remote, format!("{folder}/{}", piece.key(index)), stored));
            pieces.push(piece);
        }
        report(Progress { done: read_bytes, total });
    }
    uploads.try_collect::<()>().await?;
    verify::file_size(&path, local, read_bytes)?;
    verify::file_digest(&path, local, hasher.finalize().to_hex().as_str())?;
    Ok((pieces, sent_bytes))
}

/// A piece of some content, and what is stored of it.
fn make(content: Vec<u8>, recipients: &[Recipient]) -> io::Result<(Piece, Vec<u8>)> {
    if recipients.is_empty() {
        return Ok((Piece::of(&content), content));
    }
    let stored = seal::seal(&content, recipients)?;
    Ok((Piece::sealed(&stored, &content), stored))
}

/// The pieces that an earlier push left, young enough and whole.
fn usable<'a>(there: &'a Listing, folder: &str) -> Vec<&'a listing::Object> {
    let oldest = Timestamp::now() - REUSE;
    let fits = |object: &&listing::Object| {
        object.folder == folder && object.bytes == object.piece.bytes && object.modified >= oldest
    };
    there.pieces.iter().filter(fits).collect()
}

/// Its key holds its digest, so that whatever it overwrites is the same: it can be sent again after a lost answer.
async fn put(remote: &Remote, key: String, content: Vec<u8>) -> Result<(), Error> {
    let key = remote.key(&key);
    remote.store.put(&key, PutPayload::from(content)).await.map_err(remote.failed("write", &key))?;
    Ok(())
}

/// A store that kept less than it acknowledged gets no manifest.
async fn confirm_sizes(remote: &Remote, stored: &Stored) -> Result<(), Error> {
    let folder = remote.key(&stored.folder);
    let objects = listing::objects(remote, &folder).await?;
    let sizes: BTreeMap<_, _> = objects.into_iter().map(|object| (object.location, object.size)).collect();
    for (key, piece) in stored.keys().zip(&stored.pieces) {
        let key = remote.key(&key);
        let found = sizes.get(&key).copied();
        if found != Some(piece.bytes) {
            let found = found.map_or("none".to_owned(), |bytes| bytes.to_string());
            let reason = format!(
                "it was sent and acknowledged, but of its size in bytes expected {}, found {found}; nothing was \
                 published, push again",
                piece.bytes
            );
            return Err(Error::remote("store", remote.url(&key), reason));
        }
    }
    Ok(())
}

/// The last step: from here on it is a restore point.
async fn publish(remote: &Remote, described: &RemoteManifest, mode: PutMode) -> Result<(), Error> {
    let name = &described.manifest.name;
    let key = remote.key(&name.manifest_file());
    let unwritable = |error: serde_json::Error| Error::remote("write", remote.url(&key), error);
    let bytes = self_digest::with(described).map_err(unwritable)?;
    let put = async |mode: PutMode| remote.store.put_opts(&key, bytes.clone().into(), mode.into()).await;
    // Its pieces are on disk before it says that they are there.
    remote.settle()?;
    let answer = match put(mode.clone()).await {
        // A directory cannot replace on condition. Who pushes there meanwhile pushes the same.
        Err(object_store::Error::NotImplemented { .. }) if mode != PutMode::Create => put(PutMode::Overwrite).await,
        answer => answer,
    };
    match answer {
        Ok(_) => remote.settle(),
        // Another push was faster, or it was this one, and the answer was lost.
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            match listing::manifest(remote, name).await? {
                Some(found) => expect_same(remote, &described.manifest, &found),
                None => {
                    let reason = "it was removed at the same moment; push again";
                    Err(Error::remote("write", remote.url(&key), reason))
                }
            }
        }
        Err(error) => Err(remote.failed("write", &key)(error)),
    }
}
