//! Fetches restore points from a remote repository into a local one, where they are restored from.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};

use super::head::{self, Head};
use super::layout::{Encryption, Link, Piece, RemoteManifest};
use super::listing::{self, Found, Listing};
use super::{PARALLEL, Progress, Remote};
use crate::paths::partial;
use crate::restore::choose::{Candidates, Wanted, candidates};
use crate::restore::{Choice, LineageChoice};
use crate::space::Room;
use crate::{Error, Manifest, Name, Rejected, Repository, State, Writer};
use crate::{authenticity, belongings, bounds, clock, durable, identity, openat, stored, verify};

#[derive(Debug)]
pub struct Request {
    pub which: Which,
    /// Of which lineage; needed only if there are several.
    pub lineage: Option<LineageChoice>,
    /// Of the source that was given this name.
    pub source_name: Option<String>,
    /// The database that they are for, which decides between several without a lineage.
    pub database: PathBuf,
    /// Whether one that is not encrypted is taken although there is a secret key.
    pub allow_unencrypted: bool,
    /// How far the remote repository is known to be from elsewhere.
    pub expected: Option<Head>,
    /// Whether a head of the remote repository that is another than was seen is as it should be.
    pub accept_rollback: bool,
}

impl Request {
    /// Of the only database there is, and for this one.
    pub fn new(which: Which, database: PathBuf) -> Self {
        Self {
            which,
            lineage: None,
            source_name: None,
            database,
            allow_unencrypted: false,
            expected: None,
            accept_rollback: false,
        }
    }
}

/// Which restore points to pull.
#[derive(Clone, Debug)]
pub enum Which {
    /// The best good one that fits.
    One(Choice),
    All,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// The restore points that are here now and were not before.
    pub pulled: Vec<Name>,
    /// Those that were here already.
    pub present: Vec<Name>,
    /// Those that were passed over: damaged there, not whole, or refused. Unless all were asked for, newer than what was
    /// pulled.
    pub rejected: Vec<Rejected>,
    /// Those that are suspect and newer than what was pulled, and were passed over.
    #[serde(default)]
    pub suspects: Vec<Rejected>,
    /// The record with the greatest index there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// Pulls into the repository of `writer`. What is in it stays; one that is damaged is replaced.
///
/// # Errors
/// [`Error::NoRestorePoint`] and [`Error::SeveralLineages`] if it is not clear what to pull;
/// [`Error::NothingGood`] if all that fits is damaged there; [`Error::OtherContent`] if another restore point of that
/// name is here, or it would outrank younger ones; [`Error::Sealed`] if no key fits; [`Error::History`] if the remote
/// repository is not what was seen of it; [`Error::Remote`] and [`Error::Io`].
pub fn run(
    remote: &Remote,
    writer: &Writer,
    request: &Request,
    report: &mut dyn FnMut(Progress),
) -> Result<Pulled, Error> {
    remote.block_on(async {
        let mut there = listing::read(remote, &remote.keys).await?;
        expect_history(remote, writer, request, &there)?;
        let head = there.head();
        if !remote.identities.is_empty() && !request.allow_unencrypted {
            there.found.values_mut().for_each(refuse_unencrypted);
        }
        let Candidates { best_first, suspects } = choose(&there, request)?;
        suspects.iter().for_each(|suspect| tracing::warn!(name = %suspect.name, "skipped, {}", suspect.reason));
        let mut pulled = Pulled { suspects, head, ..Pulled::default() };
        for manifest in best_first {
            match one((remote, writer), &manifest, &there, report).await {
                Ok(true) => pulled.pulled.push(manifest.name.clone()),
                Ok(false) => pulled.present.push(manifest.name.clone()),
                Err(Error::Damaged { reason, .. }) => {
                    tracing::warn!(name = %manifest.name, "skipped, damaged there: {reason}");
                    pulled.rejected.push(Rejected { name: manifest.name, reason });
                    continue;
                }
                Err(error) => return Err(error),
            }
            if let Which::One(choice) = &request.which {
                pulled.pass_over(newer(&there, choice, &manifest));
                break;
            }
        }
        if matches!(request.which, Which::All) {
            pulled.pass_over(not_whole(&there, request));
        }
        if pulled.pulled.is_empty() && pulled.present.is_empty() {
            return Err(Error::NothingGood { rejected: pulled.rejected });
        }
        Ok(pulled)
    })
}

impl Pulled {
    /// Nothing is passed over in silence.
    fn pass_over(&mut self, rejected: Vec<Rejected>) {
        rejected.iter().for_each(|Rejected { name, reason }| tracing::warn!(%name, "skipped: {reason}"));
        self.rejected.extend(rejected);
    }
}

/// Holds what is there against what was seen before, and remembers it.
fn expect_history(remote: &Remote, writer: &Writer, request: &Request, there: &Listing) -> Result<(), Error> {
    let (repository, url) = (writer.repository(), remote.url());
    if remote.keys.is_empty() {
        tracing::warn!(
            "the signatures of restore points in {url} are not checked, so anyone who can write there could have \
             added, replaced or hidden some; push with --sign-key and pull with --verify-key"
        );
    }
    let remembered = head::remembered(repository, &url);
    if let Some(doubt) = remote.doubt(there, remembered.as_ref(), request.expected.as_ref()) {
        let doubt = remote.history(doubt);
        if !request.accept_rollback {
            return Err(doubt);
        }
        tracing::warn!("{doubt}");
    }
    if remote.time.is_none()
        && let Some(head) = there.head()
    {
        head::remember(repository, &url, head, None);
    }
    Ok(())
}

/// What anybody could have made with the public key alone is one thing; what takes no key at all is another.
fn refuse_unencrypted(found: &mut Found) {
    if found.read.as_ref().is_ok_and(|read| read.remote.encryption.is_none()) {
        let reason = "refused: it is not encrypted although a secret key is given, so anyone who can write there \
        could have put it there; if it was pushed without --encrypt-to, pull it with --allow-unencrypted";
        found.read = Err(reason.to_owned());
    }
}

/// What is newer than what was taken, and no restore point that could be taken.
fn newer(there: &Listing, choice: &Choice, taken: &Manifest) -> Vec<Rejected> {
    let may_be_newer = |name: &Name, found: &Found| match &found.read {
        Ok(read) => read.manifest.identity() == taken.identity() && read.manifest.sequence > taken.sequence,
        // Whose it is and where it belongs is not known, but what it is called.
        Err(_) => *name > taken.name,
    };
    there.rejected(|name, found| {
        may_be_newer(name, found)
            && match choice {
                Choice::Latest => true,
                Choice::At(time) => *name <= Name::at(*time),
                Choice::Name(_) => false,
            }
    })
}

/// What is no restore point of those that were all asked for.
fn not_whole(there: &Listing, request: &Request) -> Vec<Rejected> {
    let wanted = Wanted {
        source_name: request.source_name.as_deref(),
        ..Wanted::new(&Choice::Latest, request.lineage.as_ref())
    };
    there.rejected(|_, found| found.read.as_ref().map_or(true, |read| wanted.matches(&read.manifest)))
}

/// The restore points to try.
fn choose(there: &Listing, request: &Request) -> Result<Candidates, Error> {
    let path = identity::path_of(&request.database).ok();
    let wanted = |choice| Wanted {
        source_name: request.source_name.as_deref(),
        path: path.as_deref(),
        ..Wanted::new(choice, request.lineage.as_ref())
    };
    match &request.which {
        Which::One(choice) => candidates(&there.entries(), &wanted(choice)),
        Which::All => {
            let wanted = wanted(&Choice::Latest);
            // Oldest first, as they were taken.
            let all: Vec<Manifest> =
                there.manifests().into_iter().filter(|manifest| wanted.matches(manifest)).collect();
            if all.is_empty() {
                candidates(&there.entries(), &wanted)
            } else {
                Ok(Candidates { best_first: all, ..Candidates::default() })
            }
        }
    }
}

/// Pulls one restore point; `false` if it is here and good.
async fn one(
    (remote, writer): (&Remote, &Writer),
    manifest: &Manifest,
    there: &Listing,
    report: &mut dyn FnMut(Progress),
) -> Result<bool, Error> {
    let found = there.found.get(&manifest.name);
    let found = found.and_then(|found| Some((found.read.as_ref().ok()?, found.record.as_ref()?)));
    // Chosen from this very listing.
    let Some(described) = found else { return Ok(false) };
    if described.0.is_sealed() {
        return Err(Error::Sealed { object: remote.object(&remote.key(&described.1.key)) });
    }
    if is_here(writer, manifest)? {
        return Ok(false);
    }
    expect_in_order(writer, manifest)?;
    let fetched = fetch((remote, writer), described, report).await;
    if fetched.is_err()
        && let Err(error) = durable::remove(&partial(&writer.repository().stored_file(manifest)))
    {
        tracing::warn!(name = %manifest.name, "cannot clean up: {error}");
    }
    fetched.map(|()| true)
}

/// Whether it is in the local repository. One that is damaged does not count.
fn is_here(writer: &Writer, manifest: &Manifest) -> Result<bool, Error> {
    let repository = writer.repository();
    // What is here is not overwritten by something else, whoever is believed.
    match Repository::at(repository.path()).state(&manifest.name) {
        Some(State::Complete { manifest: local }) if local.blake3 != manifest.blake3 => Err(Error::OtherContent {
            there: repository.manifest(&manifest.name).display().to_string(),
            reason: format!(
                "BLAKE3: expected {}, found {}; pull into another directory with --repository",
                manifest.blake3, local.blake3
            ),
        }),
        Some(State::Complete { manifest: local }) => match verify::digest(repository, &local) {
            Ok(()) => Ok(matches!(repository.state(&manifest.name), Some(State::Complete { .. }))),
            Err(Error::Damaged { reason, .. }) => {
                tracing::warn!(name = %manifest.name, "the copy here is damaged, pulling it again: {reason}");
                Ok(false)
            }
            Err(error) => Err(error),
        },
        _ => Ok(false),
    }
}

/// The order is by sequence: what is older must not come out newest.
fn expect_in_order(writer: &Writer, manifest: &Manifest) -> Result<(), Error> {
    // What a clock that was ahead said of its time says nothing.
    let now = Timestamp::now();
    let younger = writer.repository().manifests()?.into_iter().find(|local| {
        local.identity() == manifest.identity()
            && !clock::is_ahead(local.created_at, now)
            && local.created_at > manifest.created_at
            && local.sequence <= manifest.sequence
    });
    let Some(younger) = younger else { return Ok(()) };
    Err(Error::OtherContent {
        there: writer.repository().manifest(&younger.name).display().to_string(),
        reason: format!(
            "it is newer than {}, but its sequence {} is not higher than {}, so it would not count as the newest; \
             pull into an empty directory with --repository",
            manifest.name, younger.sequence, manifest.sequence
        ),
    })
}

async fn fetch(
    (remote, writer): (&Remote, &Writer),
    (described, record): (&RemoteManifest, &Link),
    report: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    let (manifest, repository) = (&described.manifest, writer.repository());
    let target = partial(&repository.stored_file(manifest));
    let total = manifest.stored_bytes();
    let mut room = Room::new(repository.path(), total)?;
    let mut file = create(&target)?;
    let keys = described.remote.keys().zip(&described.remote.pieces);
    let mut pieces = futures_util::stream::iter(keys.map(|(key, piece)| get(remote, key, piece))).buffered(PARALLEL);
    let mut done = 0;
    while let Some(stored) = pieces.try_next().await? {
        let content = match described.remote.encryption {
            None => stored,
            Some(Encryption::Age) => {
                remote.identities.open(&stored, &remote.object(&remote.key(&described.remote.folder)))?
            }
        };
        done += content.len() as u64;
        if done > total {
            let pieces = remote.object(&remote.key(&described.remote.folder));
            return Err(Error::damaged(Path::new(&pieces), format!("size in bytes: expected {total}, found more")));
        }
        file.write_all(&content).map_err(Error::io("write", &target))?;
        room.written(content.len())?;
        report(Progress { done, total });
    }
    // What is on disk, not what arrived.
    durable::sync_while((&file, &target), || stored::read_open((&file, &target), manifest, |_| Ok(())))?;
    // A damaged one that is replaced may be stored in another form.
    let stored = repository.stored_file(manifest);
    let other = repository.stored_files(&manifest.name).into_iter().filter(|file| *file != stored);
    other.into_iter().try_for_each(|file| durable::remove(&file))?;
    match signed(remote, described, record).await? {
        Some(bytes) if bytes.len() as u64 <= bounds::MANIFEST_BYTES => writer.publish_as(manifest, &bytes),
        // That of a database of some 300 GB or more, which names all its pieces.
        Some(bytes) => {
            tracing::warn!(
                name = %manifest.name,
                "its signature was valid but cannot be kept here: its manifest has {} bytes there, expected at most \
                 {}; a restore with --verify-key would refuse it, so restore it from this pull without \
                 --verify-key", bytes.len(), bounds::MANIFEST_BYTES
            );
            writer.publish(manifest)
        }
        None => writer.publish(manifest),
    }
}

/// The bytes of a record that is signed: what verifies there has to verify here. `None` if it is not.
async fn signed(remote: &Remote, described: &RemoteManifest, record: &Link) -> Result<Option<Vec<u8>>, Error> {
    if let Some(bytes) = &described.opened {
        return Ok(authenticity::is_signed(bytes).then(|| bytes.clone()));
    }
    let damaged = |reason: &str| Error::damaged(Path::new(&remote.object(&remote.key(&record.key))), reason);
    let bytes = listing::get(remote, &record.key).await?.ok_or_else(|| damaged("it was removed during the pull"))?;
    let bytes = bytes.map_err(|reason| damaged(&reason))?;
    if blake3::hash(&bytes).to_hex().as_str() != record.blake3 {
        return Err(damaged("it was replaced during the pull"));
    }
    Ok(authenticity::is_signed(&bytes).then_some(bytes))
}

/// Nobody may read it but its owner, or whoever may write where a guest pulls to: what the permissions of the database
/// were is not known here.
fn create(target: &Path) -> Result<File, Error> {
    // What a killed one left may belong to another user.
    durable::remove(target)?;
    let file = openat::create(target, 0o600).map_err(Error::io("create", target))?;
    belongings::leave_to_directory(&file, target, 0o660)?;
    Ok(file)
}

/// One piece, which has the size and the digest it should.
async fn get(remote: &Remote, key: String, piece: &Piece) -> Result<Vec<u8>, Error> {
    let key = remote.key(&key);
    let damaged = |reason: String| Error::damaged(Path::new(&remote.object(&key)), reason);
    remote.check_planted(&key).map_err(damaged)?;
    let answer = match remote.store.get(&key).await {
        Err(object_store::Error::NotFound { .. }) => return Err(damaged("it is missing".into())),
        answer => answer.map_err(remote.failed("read", &key))?,
    };
    let size = answer.meta.size;
    if size > bounds::PIECE_BYTES {
        return Err(damaged(format!("size in bytes: expected at most {}, found {size}", bounds::PIECE_BYTES)));
    }
    if size != piece.bytes {
        return Err(damaged(format!("size in bytes: expected {}, found {size}", piece.bytes)));
    }
    let content = answer.bytes().await.map_err(remote.failed("read", &key))?;
    let (expected, found) = (&piece.blake3, &Piece::of(&content).blake3);
    if found != expected {
        return Err(damaged(format!("BLAKE3: expected {expected:?}, found {found:?}")));
    }
    Ok(content.into())
}
