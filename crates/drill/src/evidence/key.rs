//! Keys: ed25519, in the files that OpenSSL makes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// What comes before the 32 bytes of an ed25519 key in a SubjectPublicKeyInfo, RFC 8410.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a private key, PKCS#8 in PEM.
    pub fn read(path: &Path) -> Result<Self> {
        let help = "it must be an ed25519 key as made by: openssl genpkey -algorithm ed25519";
        let text = fs::read(path).with_context(|| format!("cannot read the signing key {}", path.display()))?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text)
            .map_err(|error| anyhow!("{} is not a private key in PEM, {error:?}; {help}", path.display()))?;
        // OpenSSL leaves the public key out, so that it cannot be checked against.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|error| anyhow!("{} is not an ed25519 key, {error}; {help}", path.display()))?;
        Ok(Self(pair))
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    /// Its other half.
    pub fn public(&self) -> PublicKey {
        PublicKey(UnparsedPublicKey::new(&ED25519, self.0.public_key().as_ref().to_vec()))
    }

    /// A hint by which a verifier may find the key: the SHA-256 of the public one.
    pub fn id(&self) -> String {
        let public = [&SPKI_PREFIX[..], self.0.public_key().as_ref()].concat();
        hex(digest(&SHA256, &public).as_ref())
    }
}

/// Why a file of a secret is none, as its mode has it; `None` if only its owner and group have it, as Kubernetes gives a
/// Secret to a pod (0440).
pub fn exposed(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let to = match mode {
        mode if mode & 0o004 != 0 => "readable by every user here",
        mode if mode & 0o022 != 0 => "writable by others",
        _ => return None,
    };
    let path = path.display();
    Some(format!("{path} is {to}, mode {mode:o}: whoever has the key signs in your name; chmod 600 {path}"))
}

/// A key that signatures are checked with.
pub struct PublicKey(UnparsedPublicKey<Vec<u8>>);

impl PublicKey {
    /// Reads a public key, SubjectPublicKeyInfo in PEM.
    pub fn read(path: &Path) -> Result<Self> {
        let help = "it must be an ed25519 public key as made by: openssl pkey -in KEY -pubout";
        let text = fs::read(path).with_context(|| format!("cannot read the public key {}", path.display()))?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&text)
            .map_err(|error| anyhow!("{} is not a public key in PEM, {error:?}; {help}", path.display()))?;
        let bytes = der.strip_prefix(&SPKI_PREFIX).filter(|key| key.len() == 32);
        ensure!(bytes.is_some(), "{} is not an ed25519 key; {help}", path.display());
        Ok(Self(UnparsedPublicKey::new(&ED25519, bytes.unwrap_or_default().to_vec())))
    }

    /// Whether a signature is that of a message by this key's other half.
    pub fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
