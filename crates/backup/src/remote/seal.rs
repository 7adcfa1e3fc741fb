//! Encryption before anything leaves the machine: each piece is an age file of its own, see <https://age-encryption.org/v1>.
//!
//! By itself, so that an interrupted push goes on with any piece, and memory stays bounded. That pieces are in their
//! place is what the digest of the whole stored file tells.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, Read as _, Write as _};
use std::path::Path;
use std::str::FromStr;

use age::x25519;

use crate::{Error, bounds, openat};

/// Somebody who can read what is stored, by a public key: `age1…`.
#[derive(Clone)]
pub struct Recipient(x25519::Recipient);

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().fmt(f)
    }
}

impl FromStr for Recipient {
    type Err = String;

    /// The error does not repeat the text, which may be the secret key by mistake.
    fn from_str(text: &str) -> Result<Self, String> {
        let recipient = text.trim().parse();
        recipient
            .map(Self)
            .map_err(|_| "it is not an age public key; expected one like age1…, as age-keygen makes".into())
    }
}

/// Names recipients in the order of no matter which list.
pub(super) fn names(recipients: &[Recipient]) -> Vec<String> {
    let mut names: Vec<String> = recipients.iter().map(|recipient| recipient.0.to_string()).collect();
    names.sort();
    names.dedup();
    names
}

/// Encrypts a piece.
pub(super) fn seal(content: &[u8], recipients: &[Recipient]) -> io::Result<Vec<u8>> {
    let keys = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).map_err(io::Error::other)?;
    let mut sealed = Vec::with_capacity(content.len() + content.len() / 1024 + 1024);
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(content)?;
    writer.finish()?;
    Ok(sealed)
}

/// The secret keys that pieces are decrypted with. Says nothing of them.
#[derive(Default)]
pub struct Identities(Vec<Box<dyn age::Identity>>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} identities", self.0.len())
    }
}

impl Identities {
    /// Reads a file as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or holds no secret key; what it holds is not repeated.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unfit = || Error::io("read the secret keys in", path);
        let file = openat::bytes_given(path, bounds::SECRET_BYTES).map_err(unfit())?;
        Self::parse(&file[..]).map_err(unfit())
    }

    fn parse(text: impl BufRead) -> io::Result<Self> {
        let none = || io::Error::other("expected AGE-SECRET-KEY-1…, as age-keygen writes it, found none");
        let parsed = age::IdentityFile::from_buffer(text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => none(),
            _ => error,
        })?;
        let identities = parsed.into_identities().map_err(|_| none())?;
        if identities.is_empty() { Err(none()) } else { Ok(Self(identities)) }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Decrypts a piece of `object`.
    pub(super) fn open(&self, sealed: &[u8], object: &str) -> Result<Vec<u8>, Error> {
        let damaged =
            |error: &dyn fmt::Display| Error::damaged(Path::new(object), format!("it cannot be decrypted: {error}"));
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(|error| damaged(&error))?;
        let mut reader = decryptor.decrypt(self.0.iter().map(AsRef::as_ref)).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => Error::Sealed { object: object.to_owned() },
            other => damaged(&other),
        })?;
        let mut content = Vec::with_capacity(sealed.len());
        reader.read_to_end(&mut content).map_err(|error| damaged(&error))?;
        Ok(content)
    }
}

/// Where secret keys are: the path of a file, or the text of one, as a container has a secret in its environment. Says
/// nothing of it.
#[derive(Clone)]
pub struct IdentitySource(OsString);

/// The variable it may come from.
pub const IDENTITY: &str = "BACKUP_IDENTITY";

impl fmt::Debug for IdentitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret key, or where it is")
    }
}

impl From<OsString> for IdentitySource {
    fn from(given: OsString) -> Self {
        Self(given)
    }
}

impl IdentitySource {
    /// Reads the keys; none if it is empty.
    ///
    /// # Errors
    /// [`Error::Identity`] if it is a key on the command line, where every user sees it, no key, or the path of no file;
    /// [`Error::Io`] as of [`Identities::read`]. A text that may be a key is not repeated.
    pub fn read(&self) -> Result<Identities, Error> {
        let unfit = |reason: &str| Error::Identity { reason: reason.to_owned() };
        let (path, text) = (Path::new(&self.0), self.0.to_string_lossy());
        if text.trim().is_empty() {
            return Ok(Identities::default());
        }
        // A file may be called anything, and a key with a slip in it is one all the same.
        if path.exists() || path.is_absolute() && !text.contains("AGE-SECRET-KEY-") {
            return Identities::read(path);
        }
        if !text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
            return Err(unfit(
                "it is neither an existing file nor a key (not shown, because it might be a key in another form)",
            ));
        }
        if std::env::var_os(IDENTITY).as_ref() != Some(&self.0) {
            return Err(unfit(
                "every user can see a secret key on the command line; treat it as compromised and replace it, then \
                 give a file or use the variable",
            ));
        }
        Identities::parse(text.trim().as_bytes()).map_err(|error| unfit(&error.to_string()))
    }
}
