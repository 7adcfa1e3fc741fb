//! Whether a manifest comes from a trusted source. A digest detects accidents. An attacker who can write to the
//! repository can make a manifest with a correct digest, but cannot sign it without the key, which is kept elsewhere.
//!
//! Signed are the exact bytes of the file, with nothing between the quotes of the signature and of the digest behind it: the
//! digest of the database, its name, its place in the order, whose it is, and, of a remote one, its pieces, how they are
//! encrypted, and the record it follows.

use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::signature::{PublicKey, SigningKey, hex, unhex};

/// What is signed begins with it, so that no other use of a key gives a signature of a manifest.
const CONTEXT: &[u8] = b"restore point manifest, version 1\n";

/// The end of a signed file, between which are a signature and a digest of these lengths.
const END: [&str; 3] = ["  \"signature\": \"", "\",\n  \"manifest_blake3\": \"", "\"\n}\n"];
const SIGNATURE_DIGITS: usize = 128;
const DIGEST_DIGITS: usize = 64;

/// The public keys of those whose restore points are believed: of several, any will do, so that one can follow another.
/// None means that everybody's are.
#[derive(Clone, Debug, Default)]
pub struct VerifyKeys(Vec<PublicKey>);

impl VerifyKeys {
    /// Reads the files of public keys.
    pub fn read<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let keys = paths.into_iter().map(|path| PublicKey::read(path.as_ref()));
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Whether everybody's restore points are believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Believes these as well.
    pub fn extend(&mut self, keys: impl IntoIterator<Item = PublicKey>) {
        self.0.extend(keys);
    }

    /// Whether the bytes of a manifest are believed; the error says why not.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let Some((blank, signature)) = blank(bytes) else {
            return Err("refused: it is not signed, but --verify-key requires a signature".into());
        };
        let message = [CONTEXT, &blank].concat();
        if self.0.iter().any(|key| key.fits(&message, &signature)) {
            return Ok(());
        }
        let known: Vec<String> = self.0.iter().map(|key| short(&key.id())).collect();
        Err(format!(
            "refused: its signature matches none of the given public keys ({}); it claims to be signed by key {}, so \
             either it was changed since, or that key is missing from --verify-key",
            known.join(", "),
            signer(bytes).as_deref().map_or("?".into(), short)
        ))
    }
}

/// Enough of the id of a key for people.
fn short(id: &str) -> String {
    crate::text::printable(&id.chars().take(16).collect::<String>())
}

/// The signature, in hexadecimal, of the bytes of a manifest that have none yet.
pub(crate) fn sign(key: &SigningKey, blank: &[u8]) -> String {
    hex(&key.sign(&[CONTEXT, blank].concat()))
}

/// The bytes as they were signed, and the signature, which has one place only: a reader could not be told another text than
/// what was signed. `None` if they are not signed.
fn blank(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let [open, between, close] = END.map(str::as_bytes);
    let rest = bytes.strip_suffix(close)?;
    let rest = &rest[..rest.len().checked_sub(DIGEST_DIGITS)?];
    let rest = rest.strip_suffix(between)?;
    let (rest, digits) = rest.split_at(rest.len().checked_sub(SIGNATURE_DIGITS)?);
    let head = rest.strip_suffix(open)?;
    Some(([head, open, between, close].concat(), unhex(digits)?))
}

/// Whether they claim to be signed.
pub(crate) fn is_signed(bytes: &[u8]) -> bool {
    blank(bytes).is_some()
}

/// Which key they claim to be signed by. It is a hint.
pub(crate) fn signer(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Signer {
        signed_by: Option<String>,
    }
    serde_json::from_slice::<Signer>(bytes).ok()?.signed_by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::self_digest;

    fn key(seed: u8) -> SigningKey {
        // PKCS#8 of RFC 8410, as OpenSSL writes it.
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        SigningKey::from_der(&[&head[..], &[seed; 32]].concat()).unwrap()
    }

    fn trusting(seeds: &[u8]) -> VerifyKeys {
        VerifyKeys(seeds.iter().map(|seed| key(*seed).public()).collect())
    }

    fn signed(value: &serde_json::Value) -> Vec<u8> {
        self_digest::with(value, Some(&key(1))).unwrap()
    }

    #[test]
    fn only_what_one_of_the_keys_signed_is_believed() {
        let bytes = signed(&serde_json::json!({"sequence": 7}));
        let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(self_digest::check(&bytes, read["manifest_blake3"].as_str()), Ok(()));
        for seeds in [&[1][..], &[2, 1], &[]] {
            assert_eq!(trusting(seeds).check(&bytes), Ok(()), "{seeds:?}");
        }
        assert!(trusting(&[2, 3]).check(&bytes).unwrap_err().contains(&key(1).id()[..16]));
        let unsigned = self_digest::with(&serde_json::json!({"sequence": 7}), None).unwrap();
        assert!(trusting(&[1]).check(&unsigned).unwrap_err().contains("not signed"));
        assert!(is_signed(&bytes) && !is_signed(&unsigned));
    }

    #[test]
    fn every_flipped_bit_but_those_of_the_digest_breaks_the_signature() {
        let bytes = signed(&serde_json::json!({"sequence": 7, "name": "x"}));
        let digest = bytes.len() - END[2].len() - DIGEST_DIGITS..bytes.len() - END[2].len();
        for at in (0..bytes.len()).filter(|at| !digest.contains(at)) {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(trusting(&[1]).check(&flipped).is_err(), "{}", String::from_utf8_lossy(&flipped));
            }
        }
    }

    #[test]
    fn a_signature_in_another_place_is_none() {
        let bytes = signed(&serde_json::json!({"sequence": 7, "signature": "", "name": ""}));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(trusting(&[1]).check(text.as_bytes()), Ok(()));
        let (_, signature) = blank(text.as_bytes()).unwrap();
        let digits = hex(&signature);
        let moved = text.replacen(&digits, "", 1).replacen("\"name\": \"", &format!("\"name\": \"{digits}"), 1);
        for changed in [moved, format!("{text} "), text.replacen('{', "{ ", 1), text.replace("\n", "\r\n")] {
            assert!(trusting(&[1]).check(changed.as_bytes()).is_err(), "{changed}");
        }
    }
}
