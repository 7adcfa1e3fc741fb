//! The keys of objects, and what a remote manifest says beyond a local one. Only this module knows either.

use serde::{Deserialize, Serialize};

use crate::{Manifest, Name};

/// Bytes of a stored file that make one piece.
pub(super) const PIECE_BYTES: usize = 8 * 1024 * 1024;

/// More than a manifest of a terabyte has.
pub(super) const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The manifest of a remote restore point: that of the local one, and where its stored file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RemoteManifest {
    #[serde(flatten)]
    pub manifest: Manifest,
    pub remote: Stored,
}

/// Where the stored file of a restore point is, and in what form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The folder of the pieces, beside the manifest.
    pub folder: String,
    /// How each piece is encrypted, if it is.
    #[serde(default)]
    pub encryption: Option<Encryption>,
    /// In their order.
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
    pub fn of(stored: &[u8]) -> Self {
        Self { bytes: stored.len() as u64, blake3: blake3::hash(stored).to_hex().to_string(), content: None }
    }

    /// Encrypted.
    pub fn sealed(stored: &[u8], content: &[u8]) -> Self {
        Self { content: Some(short(content)), ..Self::of(stored) }
    }

    /// Whether it holds this content, by its digest.
    pub fn holds(&self, content: &[u8]) -> bool {
        match &self.content {
            None => *self == Self::of(content),
            Some(known) => *known == short(content),
        }
    }

    /// Its key in the folder: sorted, the pieces are in order.
    pub fn key(&self, index: usize) -> String {
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
    /// The keys of its pieces, relative to the repository.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.pieces.iter().enumerate().map(|(index, piece)| format!("{}/{}", self.folder, piece.key(index)))
    }

    /// The keys of all objects of the restore point that it is of: its pieces, then its manifest.
    pub fn objects(&self, name: &Name) -> impl Iterator<Item = String> {
        self.keys().chain([name.manifest_file()])
    }
}

impl RemoteManifest {
    /// Reads the manifest of `name`; the error says what is wrong with it.
    pub fn parse(name: &Name, bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Rest {
            remote: Stored,
        }
        let manifest = Manifest::parse(name, bytes)?;
        let rest: Result<Rest, _> = serde_json::from_slice(bytes);
        let Rest { remote } = rest.map_err(|error| format!("its manifest is malformed: {error}"))?;
        // What is not below the repository is not ours to read or delete.
        if owner_of(&remote.folder).as_ref() != Some(name) {
            return Err(format!("its manifest names the folder {:?}, which is not its own", remote.folder));
        }
        Ok(Self { manifest, remote })
    }
}

/// The folder for the stored file of a restore point. Those of other content, should it have the same name, and for other
/// readers are elsewhere.
pub(super) fn folder(manifest: &Manifest, recipients: &[String]) -> String {
    let what = format!("{PIECE_BYTES} {} {}", manifest.stored_blake3(), recipients.join(" "));
    format!("{}.{}", manifest.name, short(what.as_bytes()))
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
    Manifest(Name),
    Piece { folder: String, index: usize, piece: Piece },
}

pub(super) fn kind_of(key: &str) -> Option<Kind> {
    match key.split_once('/') {
        None => {
            let name: Name = key.strip_suffix(".json")?.parse().ok()?;
            (name.manifest_file() == key).then_some(Kind::Manifest(name))
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
        assert_eq!(kind_of(&format!("{NAME}.json")), Some(Kind::Manifest(NAME.parse().unwrap())));
    }

    #[test]
    fn what_others_keep_in_the_bucket_is_none_of_ours() {
        let digest = "0".repeat(64);
        for key in [
            "README.txt".into(),
            NAME.into(),
            format!("{NAME}.db"),
            format!("{NAME}.db.json"),
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
