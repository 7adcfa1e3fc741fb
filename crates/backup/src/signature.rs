//! Keys that sign and verify: Ed25519, in the files that OpenSSL makes.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::O_NONBLOCK;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

use crate::{Error, bounds};

/// What comes before the 32 bytes of an ed25519 key in a SubjectPublicKeyInfo, RFC 8410.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs. Says nothing of itself but its id.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.id()).finish()
    }
}

impl SigningKey {
    /// Reads a private key, PKCS#8 in PEM, which nobody else may read.
    ///
    /// # Errors
    /// [`Error::Io`] if it is none, cannot be read, or others may read it; what it holds is not repeated.
    pub fn read(path: &Path) -> Result<Self, Error> {
        match Self::read_exposed(path)? {
            (key, None) => Ok(key),
            (_, Some(exposed)) => Err(Error::io("use the signing key", path)(io::Error::other(exposed))),
        }
    }

    /// The same of a key that others may read too, with what to say of that: for what signed with such keys before they were
    /// refused.
    ///
    /// # Errors
    /// [`Error::Io`] if it is none, or cannot be read; what it holds is not repeated.
    pub fn read_exposed(path: &Path) -> Result<(Self, Option<String>), Error> {
        let unfit = |reason: String| Error::io("use the signing key", path)(io::Error::other(reason));
        let help = "it must be an ed25519 key as made by: openssl genpkey -algorithm ed25519 -out FILE";
        let (file, text) = read(path, "use the signing key")?;
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        let exposed = expect_private(metadata.mode() & 0o777, metadata.uid()).err();
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text);
        let der = der.map_err(|error| unfit(format!("it is not a private key in PEM, {error:?}; {help}")))?;
        let pair = Self::from_der(der.secret_pkcs8_der());
        let pair = pair.map_err(|error| unfit(format!("it is not an ed25519 key, {error}; {help}")))?;
        Ok((pair, exposed))
    }

    /// Of a private key, PKCS#8. OpenSSL leaves the public one out, so that it cannot be checked against.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self)
    }

    /// The signature of a message, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    /// A hint by which a verifier may find the key: the SHA-256 of the public one.
    pub fn id(&self) -> String {
        self.public().id()
    }

    /// Its other half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }
}

/// A key that signatures are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.id()).finish()
    }
}

impl PublicKey {
    /// Reads a public key, SubjectPublicKeyInfo in PEM.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unfit = |reason: String| Error::io("use the public key", path)(io::Error::other(reason));
        let help = "it must be an ed25519 public key as made by: openssl pkey -in KEY -pubout -out FILE";
        let (_, text) = read(path, "use the public key")?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&text);
        let der = der.map_err(|error| unfit(format!("it is not a public key in PEM, {error:?}; {help}")))?;
        let bytes = der.strip_prefix(&SPKI_PREFIX).filter(|key| key.len() == 32);
        bytes.map(|key| Self(key.to_vec())).ok_or_else(|| unfit(format!("it is not an ed25519 key; {help}")))
    }

    /// Whether a signature is that of a message by this key's other half.
    pub fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// The SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    pub fn id(&self) -> String {
        hex(digest(&SHA256, &[&SPKI_PREFIX[..], &self.0].concat()).as_ref())
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How the text of a private key of OpenSSL begins: in PEM, without its head, and once more in base64, as Kubernetes has it.
const TEXTS: [&str; 3] = ["-----BEGIN", "MC4CAQAwBQYDK2VwBCIE", "LS0tLS1CRUdJTi"];

/// The bytes of hexadecimal digits as [`hex`] writes them; `None` if they are none.
pub(crate) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: &u8| b"0123456789abcdef".iter().position(|known| known == digit);
    let byte = |pair: &[u8]| u8::try_from(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?).ok();
    digits.chunks(2).map(byte).collect()
}

/// Links are followed: Kubernetes mounts the files of a Secret as such. A path that is the key itself is not repeated.
fn read(path: &Path, action: &'static str) -> Result<(File, Zeroizing<Vec<u8>>), Error> {
    if TEXTS.iter().any(|text| path.to_string_lossy().contains(text)) {
        let unfit = io::Error::other("expected the path of a key file, found the text of a key (not shown)");
        return Err(Error::io(action, Path::new("that was given"))(unfit));
    }
    read_file(path).map_err(Error::io(action, path))
}

fn read_file(path: &Path) -> io::Result<(File, Zeroizing<Vec<u8>>)> {
    let mut file = File::options().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Zeroizing::new(Vec::new());
    (&mut file).take(bounds::SIGNATURE_KEY_BYTES).read_to_end(&mut text)?;
    Ok((file, text))
}

/// Whoever reads a private key can sign in its owner's name. A file of root that one group may read is how Kubernetes gives
/// a Secret to a pod that is not root, with `fsGroup`.
fn expect_private(mode: u32, uid: u32) -> Result<(), String> {
    let is_shared_by_root = uid == 0 && mode & 0o037 == 0;
    if mode & 0o077 == 0 || is_shared_by_root {
        return Ok(());
    }
    Err(format!(
        "others can read or write it (mode {mode:o}) and so sign in your name; run: chmod 600 FILE (for a Kubernetes \
         Secret: defaultMode: 0440), and make a new key if somebody may have read it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_its_owners_or_one_group_of_roots() {
        for (mode, uid, fits) in [
            (0o600, 1000, true),
            (0o400, 0, true),
            (0o440, 0, true),
            (0o640, 0, true),
            (0o640, 1000, false),
            (0o440, 1000, false),
            (0o660, 0, false),
            (0o604, 0, false),
            (0o644, 0, false),
            (0o602, 1000, false),
        ] {
            assert_eq!(expect_private(mode, uid).is_ok(), fits, "{mode:o} of {uid}");
        }
    }
}
