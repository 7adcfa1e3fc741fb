//! Sends restore points to a remote repository: first all pieces, then, if they are all there, the record.
//!
//! Every object is created, on condition that there is none of its key, and none is ever written again or deleted: a push
//! needs credentials that may add, list and read.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::create::{Created, confirm_sizes, create, put};
use super::head::{self, Head};
use super::layout::{self, Encryption, Kind, Link, PIECE_BYTES, Piece, RemoteManifest, Stored, record_key};
use super::listing::{self, Found, Listing};
use super::outline;
use super::seal::{self, Recipient};
use super::{PARALLEL, Progress, Remote, retention, sequence};
use crate::authenticity::VerifyKeys;
use crate::restore::Choice;
use crate::restore::choose::{Wanted, candidates};
use crate::signature::SigningKey;
use crate::{Error, Identity, Manifest, Name, Rejected, Repository, openat, self_digest, stored};

/// How old a piece of an unfinished push may be to be built upon. Much younger than what a prune sweeps, so that no
/// restore point is completed with a piece that is being swept.
pub(super) const REUSE: Duration = Duration::from_secs(12 * 3600);

/// How many places are tried for what has to be created, if others were faster or something spoiled is there.
const ATTEMPTS: u32 = 8;

/// What to push, and for whom.
#[derive(Debug)]
pub struct Request {
    pub which: Which,
    /// Who signs for them. With a key, what nobody believed in has signed counts for nothing there.
    pub sign_key: Option<SigningKey>,
    /// Whether a head of the remote repository that is another than was seen is as it should be.
    pub accept_rollback: bool,
    /// Who can read them there, with their secret keys; everybody, if nobody is named.
    pub recipients: Vec<Recipient>,
    /// Whether their manifests are encrypted as well, but for what listing and pruning need.
    pub encrypt_manifests: bool,
}

impl Request {
    /// Not encrypted and not signed.
    pub fn new(which: Which) -> Self {
        Self { which, sign_key: None, accept_rollback: false, recipients: Vec::new(), encrypt_manifests: false }
    }
}

/// Which restore points to push.
#[derive(Clone, Debug)]
pub enum Which {
    /// The newest good one of each lineage.
    Newest,
    All,
    Name(Name),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The restore points that are there now and were not before.
    pub pushed: Vec<Sent>,
    /// Those that were there already.
    pub present: Vec<Name>,
    /// Those that are damaged here, and were not sent.
    pub rejected: Vec<Rejected>,
    /// The record with the greatest index there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// How the records there differ from those that were seen before, what was pushed now left aside. It is remembered until
    /// somebody accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub name: Name,
    /// Size of what is stored there.
    pub bytes: u64,
    /// Bytes of it that had to be sent: fewer where an interrupted push was continued.
    pub sent_bytes: u64,
}

/// Pushes restore points of `repository`, of which it only changes what it remembers of the remote one.
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
    let url = remote.url();
    let remembered = head::remembered(repository, &url);
    let mut keys = remote.keys.clone();
    keys.extend(request.sign_key.as_ref().map(SigningKey::public));
    remote.block_on(async {
        retention::expect_locking(remote).await?;
        let mut there = listing::read(remote, &keys).await?;
        // What is here is to be safe there, whatever has become of the rest: it is pushed first, and then told.
        let doubt = remote.doubt(&there, remembered.as_ref(), None);
        let seen = remembered.map(|remembered| remembered.head);
        let mut push = Push { remote, repository, request, keys, seen: seen.clone(), there: &mut there };
        let mut pushed = Pushed::default();
        for candidates in chosen {
            push.first_good(&candidates, &mut pushed, report).await?;
        }
        if let (Which::Name(_), Some(rejected)) = (&request.which, pushed.rejected.first()) {
            return Err(Error::damaged(&repository.database(&rejected.name), rejected.reason.clone()));
        }
        let is_back = push.is_back();
        pushed.head = there.head();
        match doubt {
            Some(doubt) if !request.accept_rollback && !is_back => pushed.doubt = Some(doubt),
            doubt => doubt.into_iter().for_each(|doubt| tracing::warn!("{}", remote.history(doubt))),
        }
        let known = if pushed.doubt.is_some() { seen } else { pushed.head.clone() };
        if let Some(head) = known {
            head::remember(repository, &url, head, pushed.doubt.clone());
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
        let reason = format!("{} holds no complete restore point; take one first", repository.path().display());
        return Err(Error::NoRestorePoint { reason });
    }
    Ok(chosen)
}

fn newest_first(manifests: impl DoubleEndedIterator<Item = Manifest>) -> Vec<Vec<Manifest>> {
    let mut identities: BTreeMap<Identity, Vec<Manifest>> = BTreeMap::new();
    manifests.rev().for_each(|manifest| identities.entry(manifest.identity()).or_default().push(manifest));
    identities.into_values().collect()
}

struct Push<'a> {
    remote: &'a Remote,
    repository: &'a Repository,
    request: &'a Request,
    /// Whose records count.
    keys: VerifyKeys,
    /// The head when it was seen last.
    seen: Option<Head>,
    there: &'a mut Listing,
}

impl Push<'_> {
    async fn first_good(
        &mut self,
        candidates: &[Manifest],
        pushed: &mut Pushed,
        report: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        for manifest in candidates {
            match self.one(manifest, report).await {
                Ok(Some(sent)) => pushed.pushed.push(sent),
                Ok(None) => pushed.present.push(manifest.name.clone()),
                Err(Error::Damaged { path, reason }) if path.starts_with(self.repository.path()) => {
                    tracing::warn!(name = %manifest.name, "not pushed, damaged: {reason}");
                    pushed.rejected.push(Rejected { name: manifest.name.clone(), reason });
                    continue;
                }
                // Readers take no lock, so a prune may be at work.
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && !self.repository.holds(&manifest.name) =>
                {
                    tracing::info!(name = %manifest.name, "not pushed: it was removed during the push");
                    continue;
                }
                Err(error) => return Err(error),
            }
            return Ok(());
        }
        Ok(())
    }

    /// Pushes one restore point; `None` if it is there.
    async fn one(&mut self, local: &Manifest, report: &mut dyn FnMut(Progress)) -> Result<Option<Sent>, Error> {
        if let Some(found) = self.there.found.get(&local.name) {
            expect_same(self.remote, &self.keys, local, found)?;
            if let (Ok(read), None) = (&found.read, &found.missing) {
                let there = read.clone();
                self.confirm(local, there).await?;
                self.hold(&local.name).await?;
                return Ok(None);
            }
        }
        let (stored, sent_bytes) = self.send(local, report).await?;
        let bytes = stored.pieces.iter().map(|piece| piece.bytes).sum();
        confirm_sizes(self.remote, &stored).await?;
        // What was there before may be locked for a shorter time.
        let is_old = self.there.pieces.iter().any(|object| object.folder == stored.folder);
        retention::hold(self.remote, &local.name, stored.keys(), is_old).await?;
        let sequence = sequence::of(local, &self.there.manifests(), Timestamp::now());
        self.publish(local, sequence, stored).await?;
        Ok(Some(Sent { name: local.name.clone(), bytes, sent_bytes }))
    }

    /// Renews the locks of what is there.
    async fn hold(&self, name: &Name) -> Result<(), Error> {
        let objects = self.there.found.get(name).map(Found::objects).unwrap_or_default();
        retention::hold(self.remote, name, objects.into_iter(), false).await
    }

    /// Hands on that the database was seen unchanged, later than is known there, and that somebody said it is right.
    async fn confirm(&mut self, local: &Manifest, read: RemoteManifest) -> Result<(), Error> {
        let (now, there) = (Timestamp::now(), &read.manifest);
        if local.current_at(now) <= there.current_at(now) && local.trusted_at == there.trusted_at {
            return Ok(());
        }
        if read.sealed.is_some() && !self.request.encrypt_manifests {
            tracing::warn!(name = %local.name, "cannot confirm it there, because its manifest there is encrypted; \
            push with --encrypt-manifests");
            return Ok(());
        }
        self.publish(local, there.sequence, read.remote).await
    }

    /// Sends the pieces that are not there; gives all, and the number of bytes that were sent.
    async fn send(&self, local: &Manifest, report: &mut dyn FnMut(Progress)) -> Result<(Stored, u64), Error> {
        let recipients = &self.request.recipients;
        for attempt in 0..ATTEMPTS {
            let folder = layout::folder(local, &seal::names(recipients), attempt);
            let is_spoiled = |object: &listing::Object| object.folder == folder && object.bytes != object.piece.bytes;
            if self.there.pieces.iter().any(is_spoiled) {
                continue;
            }
            let sent = send((self.remote, self.repository), recipients, local, &folder, self.there, report).await?;
            if let Some((pieces, sent_bytes)) = sent {
                let encryption = (!recipients.is_empty()).then_some(Encryption::Age);
                return Ok((Stored { folder, encryption, pieces }, sent_bytes));
            }
        }
        let object = self.remote.object(&self.remote.key(&local.name.to_string()));
        let reason = "every possible folder for its pieces has objects with other content under its keys; move them \
        away";
        Err(Error::remote("store", object, reason))
    }

    /// The last step: from here on it is a restore point, or says more of one.
    async fn publish(&mut self, local: &Manifest, sequence: u64, remote: Stored) -> Result<(), Error> {
        // Its pieces are on disk before it says that they are there.
        self.remote.settle()?;
        let mut described = self.describe(Manifest { sequence, ..local.clone() }, remote)?;
        let mut is_taken = self.there.found.contains_key(&described.manifest.name);
        for _ in 0..ATTEMPTS {
            let name = &described.manifest.name;
            let unfit = |reason| Error::damaged(Path::new(&self.remote.address.to_string()), reason);
            let chain = self.there.next(self.seen.as_ref()).map_err(unfit)?;
            let index = chain.index;
            let key_index = is_taken.then_some(index);
            let key = record_key(name, key_index);
            described.chain = Some(chain);
            match create(self.remote, &described, &key, self.request.sign_key.as_ref()).await? {
                Created::Done(record) => {
                    self.remote.settle()?;
                    self.there.add(described, record);
                    return Ok(());
                }
                // Another push was faster.
                Created::Taken(bytes) => {
                    let read = RemoteManifest::parse(name, key_index, &bytes);
                    if let (Ok(read), Ok(())) = (read, self.keys.check(&bytes)) {
                        expect_content(self.remote, local, &read, &key)?;
                        let record = Link { key, blake3: blake3::hash(&bytes).to_hex().to_string() };
                        self.there.add(read, record);
                        return Ok(());
                    }
                    self.there.claim(name, key, Some(index));
                    is_taken = true;
                }
            }
        }
        let object = self.remote.object(&self.remote.key(&described.manifest.name.to_string()));
        let reason = "other writers took the key of its record on every attempt; find out who writes there, and push \
        again";
        Err(Error::remote("write the record of", object, reason))
    }

    /// The record of a restore point, in the form that is asked for. It has no place in the order yet.
    fn describe(&self, manifest: Manifest, remote: Stored) -> Result<RemoteManifest, Error> {
        let plain = RemoteManifest { manifest, remote, chain: None, sealed: None, opened: None };
        if !self.request.encrypt_manifests {
            return Ok(plain);
        }
        let path = self.repository.manifest(&plain.manifest.name);
        let unfit = |error: io::Error| Error::io("encrypt", &path)(error);
        let bytes = self_digest::with(&plain.manifest, self.request.sign_key.as_ref());
        let bytes = bytes.map_err(|error| unfit(error.into()))?;
        let sealed = seal::seal(&bytes, &self.request.recipients).map_err(unfit)?;
        let manifest = outline::of(&plain.manifest);
        Ok(RemoteManifest { manifest, sealed: Some(STANDARD.encode(sealed)), ..plain })
    }

    /// Whether what was the head when it was seen last is there again, which this push may have sent.
    fn is_back(&self) -> bool {
        let seen = self.seen.as_ref().and_then(|head| head.seen.as_ref());
        let name = seen.and_then(|seen| match layout::kind_of(&seen.key) {
            Some(Kind::Record { name, .. }) => Some(name),
            _ => None,
        });
        let newest = self.there.head().map_or(0, |head| head.index);
        let found = name.and_then(|name| self.there.found.get(&name));
        let is_later = self.seen.as_ref().is_some_and(|head| newest > head.index);
        is_later && found.is_some_and(|found| found.read.is_ok() && found.missing.is_none())
    }
}

/// Refuses to touch what is not the same restore point. What is not believed may be anything.
fn expect_same(remote: &Remote, keys: &VerifyKeys, local: &Manifest, found: &Found) -> Result<(), Error> {
    match &found.read {
        Ok(read) => {
            let key = found.record.as_ref().map_or_else(|| local.name.manifest_file(), |record| record.key.clone());
            expect_content(remote, local, read, &key)
        }
        Err(_) if !keys.is_empty() => Ok(()),
        Err(reason) => {
            let there = remote.object(&remote.key(&local.name.manifest_file()));
            Err(Error::OtherContent { there, reason: format!("{reason}; move it away if you do not need it") })
        }
    }
}

fn expect_content(remote: &Remote, local: &Manifest, found: &RemoteManifest, key: &str) -> Result<(), Error> {
    if found.holds(local) {
        return Ok(());
    }
    let (expected, found) = (&local.blake3, &found.manifest.blake3);
    let reason = format!("BLAKE3: expected {expected}, found {found}; give each service its own prefix");
    Err(Error::OtherContent { there: remote.object(&remote.key(key)), reason })
}

/// Sends to a folder the pieces that are not there; gives all, and the number of bytes that were sent. `None` if the folder
/// is spoiled: something else has the key of one.
async fn send(
    (remote, repository): (&Remote, &Repository),
    recipients: &[Recipient],
    local: &Manifest,
    folder: &str,
    there: &Listing,
    report: &mut dyn FnMut(Progress),
) -> Result<Option<(Vec<Piece>, u64)>, Error> {
    let path = repository.stored_file(local);
    let mut file = openat::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::io("open", &path)(error),
        _ => stored::unreadable(&path)(error),
    })?;
    // Before anything is sent: what is of another size is something else.
    stored::file_size(&path, local, file.metadata().map_err(Error::io("look at", &path))?.len())?;
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
            if uploads.len() == PARALLEL && uploads.try_next().await? == Some(false) {
                return Ok(None);
            }
            let (piece, stored) = make(content, recipients).map_err(Error::io("encrypt", &path))?;
            sent_bytes += piece.bytes;
            uploads.push(put(remote, format!("{folder}/{}", piece.key(index)), stored, piece.blake3.clone()));
            pieces.push(piece);
        }
        report(Progress { done: read_bytes, total });
    }
    if !uploads.try_all(std::future::ready).await? {
        return Ok(None);
    }
    stored::file_size(&path, local, read_bytes)?;
    stored::file_digest(&path, local, hasher.finalize().to_hex().as_str())?;
    Ok(Some((pieces, sent_bytes)))
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
