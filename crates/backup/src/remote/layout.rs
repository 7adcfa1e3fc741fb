//! The keys of objects, and the fields that a remote manifest adds to a local one. Only this module knows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outline;
use super::seal::Identities;
use crate::authenticity::VerifyKeys;
use crate::manifest::SEQUENCE_MAX;
use crate::{Error, Manifest, Name};

/// Bytes of a stored file that make one piece.
pub(super) const PIECE_BYTES: usize = 8 * 1024 * 1024;

/// The record of a remote restore point: the manifest of the local one, where its stored file is, and which record it follows.
/// Records are only ever added. A later one of the same restore point stands for the earlier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RemoteManifest {
    #[serde(flatten)]
    pub manifest: Manifest,
    pub remote: Stored,
    /// `None` where an older version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// The whole manifest, as the bytes of its file, encrypted as pieces are, in base64. What is outside is then its
    /// [`outline`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// The same, decrypted; the manifest is then the whole one.
    #[serde(skip)]
    pub opened: Option<Vec<u8>>,
}

/// The place of a record among all of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    /// One more than the greatest that was known when it was written.
    pub index: u64,
    /// When it was written, as its writer's clock had it.
    pub pushed_at: Timestamp,
    /// The record that had the greatest index then.
    pub previous: Option<Link>,
}

/// A record, by what nobody can make twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    /// Relative to the repository.
    pub key: String,
    /// BLAKE3 of the object, in lower-case hexadecimal.
    pub blake3: String,
}

/// Where the stored file of a restore point is, and in what form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The folder of the pieces, beside the record.
    pub folder: String,
    /// How each piece is encrypted, if it is.
    #[serde(default)]
    pub encryption: Option<Encryption>,
    pub pieces: Vec<Piece>,
}

/// What a piece is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encryption {
    /// See [`super::seal`].
    Age,
}

/// One object, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub bytes: u64,
    /// BLAKE3 in lower-case hexadecimal.
    pub blake3: String,
    /// Of an encrypted piece, what of the BLAKE3 of its content tells whether it can be used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Piece {
    /// As it is.
    pub(super) fn of(stored: &[u8]) -> Self {
        Self { bytes: stored.len() as u64, blake3: blake3::hash(stored).to_hex().to_string(), content: None }
    }

    /// Encrypted.
    pub(super) fn sealed(stored: &[u8], content: &[u8]) -> Self {
        Self { content: Some(short(content)), ..Self::of(stored) }
    }

    /// Whether it holds this content, by its digest.
    pub(super) fn holds(&self, content: &[u8]) -> bool {
        match &self.content {
            None => *self == Self::of(content),
            Some(known) => *known == short(content),
        }
    }

    /// Its key in the folder: sorted, the pieces are in order.
    pub(super) fn key(&self, index: usize) -> String {
        let plain = format!("{index:06}-{}-{}", self.bytes, self.blake3);
        self.content.as_ref().map_or(plain.clone(), |content| format!("{plain}-{content}"))
    }

    fn parse(key: &str) -> Option<(usize, Self)> {
        let mut parts = key.splitn(4, '-');
        let (index, bytes, blake3) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
        let piece = Self { bytes, blake3: blake3.to_owned(), content: parts.next().map(str::to_owned) };
        let is_ours = blake3::Hash::from_hex(blake3).is_ok() && piece.content.as_deref().is_none_or(is_short);
        (is_ours && piece.key(index) == key).then_some((index, piece))
    }
}

/// Enough of a digest to tell apart what nobody chooses.
fn short(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..16].to_owned()
}

fn is_short(digest: &str) -> bool {
    digest.len() == 16 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Stored {
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.pieces.iter().enumerate().map(|(index, piece)| format!("{}/{}", self.folder, piece.key(index)))
    }
}

impl RemoteManifest {
    /// Reads the record of `name` in the object whose key has this index; the error says what is wrong with it.
    pub(super) fn parse(name: &Name, index: Option<u64>, bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Rest {
            remote: Stored,
            #[serde(default)]
            chain: Option<Chain>,
            #[serde(default)]
            sealed: Option<String>,
        }
        let manifest = Manifest::parse(name, bytes)?;
        let rest: Result<Rest, _> = serde_json::from_slice(bytes);
        let Rest { remote, chain, sealed } = rest.map_err(|error| format!("its manifest is malformed: {error}"))?;
        // What is not below the repository is not ours to read or delete.
        if owner_of(&remote.folder).as_ref() != Some(name) {
            return Err(format!("its manifest names another folder, {:?}", remote.folder));
        }
        let found = chain.as_ref().map(|chain| chain.index);
        if found.is_some_and(|found| found > SEQUENCE_MAX) || index.is_some_and(|index| found != Some(index)) {
            return Err(format!("its record has the index {found:?}, but its key says {index:?}"));
        }
        Ok(Self { manifest, remote, chain, sealed, opened: None })
    }

    /// Whether what it says is only an outline.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.is_some() && self.opened.is_none()
    }

    /// Whether it is of the same content as a restore point here.
    pub(super) fn holds(&self, local: &Manifest) -> bool {
        self.manifest.blake3 == if self.is_sealed() { outline::of(local).blake3 } else { local.blake3.clone() }
    }

    /// Reads the whole manifest, if it is sealed and a key fits. The error says what is wrong with it.
    pub(super) fn open(self, identities: &Identities, keys: &VerifyKeys) -> Result<Self, String> {
        let Some(sealed) = self.sealed.as_ref().filter(|_| !identities.is_empty()) else { return Ok(self) };
        let sealed =
            STANDARD.decode(sealed).map_err(|error| format!("its encrypted manifest is not valid base64: {error}"))?;
        let bytes = match identities.open(&sealed, "its encrypted manifest") {
            Err(Error::Sealed { .. }) => return Ok(self),
            Err(Error::Damaged { reason, .. }) => return Err(format!("its encrypted manifest is {reason}")),
            bytes => bytes.map_err(|error| error.to_string())?,
        };
        keys.check(&bytes)?;
        let manifest = Manifest::parse(&self.manifest.name, &bytes)?;
        // Whoever lists and prunes without a key is told the same.
        if outline::of(&manifest) != self.manifest {
            return Err("its encrypted manifest does not match its unencrypted part".to_owned());
        }
        Ok(Self { manifest, opened: Some(bytes), ..self })
    }
}

/// The folder for the stored file of a restore point. Those of other content, should it have the same name, for other
/// readers, and those of an `attempt` after one whose pieces are spoiled, are elsewhere.
pub(super) fn folder(manifest: &Manifest, recipients: &[String], attempt: u32) -> String {
    let again = if attempt == 0 { String::new() } else { format!(" {attempt}") };
    let what = format!("{PIECE_BYTES} {} {}{again}", manifest.stored_blake3(), recipients.join(" "));
    format!("{}.{}", manifest.name, short(what.as_bytes()))
}

/// The key of a record: that of the first of a restore point has no index, which is where older versions look.
pub(super) fn record_key(name: &Name, index: Option<u64>) -> String {
    index.map_or(name.manifest_file(), |index| format!("{name}.{index}.json"))
}

/// Whose a folder is.
fn owner_of(folder: &str) -> Option<Name> {
    let (name, digest) = folder.rsplit_once('.')?;
    let owner: Name = name.parse().ok()?;
    (is_short(digest) && owner.as_str() == name).then_some(owner)
}

/// What an object is, by its key relative to the repository; `None` if it is none of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Record { name: Name, index: Option<u64> },
    Piece { folder: String, index: usize, piece: Piece },
}

pub(super) fn kind_of(key: &str) -> Option<Kind> {
    match key.split_once('/') {
        None => {
            let stem = key.strip_suffix(".json")?;
            let (name, index) = match stem.parse() {
                Ok(name) => (name, None),
                Err(_) => {
                    stem.rsplit_once('.').and_then(|(name, index)| Some((name.parse().ok()?, index.parse().ok())))?
                }
            };
            let is_ours = record_key(&name, index) == key && index.is_none_or(|index| index <= SEQUENCE_MAX);
            is_ours.then_some(Kind::Record { name, index })
        }
        Some((folder, file)) => {
            owner_of(folder)?;
            let (index, piece) = Piece::parse(file)?;
            Some(Kind::Piece { folder: folder.to_owned(), index, piece })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "app-20261122T180935.449Z";

    #[test]
    fn keys_survive_a_round_trip() {
        let folder = format!("{NAME}.0123456789abcdef");
        for piece in [Piece::of(b"content"), Piece::sealed(b"sealed", b"content")] {
            let kind = kind_of(&format!("{folder}/{}", piece.key(3)));
            assert!(piece.holds(b"content") && !piece.holds(b"other"));
            assert_eq!(kind, Some(Kind::Piece { folder: folder.clone(), index: 3, piece }));
        }
        for index in [None, Some(0), Some(17)] {
            let name = NAME.parse().unwrap();
            assert_eq!(kind_of(&record_key(&name, index)), Some(Kind::Record { name, index }));
        }
    }

    #[test]
    fn what_others_keep_in_the_bucket_is_none_of_ours() {
        let digest = "0".repeat(64);
        for key in [
            "README.txt".into(),
            NAME.into(),
            format!("{NAME}.db"),
            format!("{NAME}.db.json"),
            format!("{NAME}.json.json"),
            format!("{NAME}.017.json"),
            format!("{NAME}.+1.json"),
            format!("{NAME}.9007199254740992.json"),
            format!("{NAME}.0123456789abcdef"),
            format!("{NAME}/000000-1-{digest}"),
            format!("{NAME}.json.0123456789abcdef/000000-1-{digest}"),
            format!("{NAME}.0123456789abcdeF/000000-1-{digest}"),
            format!("{NAME}.0123456789abcdef/000000-01-{digest}"),
            format!("{NAME}.0123456789abcdef/0-1-{digest}"),
            format!("{NAME}.0123456789abcdef/000000-1-{}", &digest[1..]),
            format!("{NAME}.0123456789abcdef/000000-1-{digest}-0123"),
            format!("{NAME}.0123456789abcdef/deeper/000000-1-{digest}"),
        ] {
            assert_eq!(kind_of(&key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_key_makes_the_parser_panic(key in ".*") {
            let _ = kind_of(&key);
        }
    }
}
