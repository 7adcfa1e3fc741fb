//! The digest a manifest carries of itself. Without it, one flipped bit could change the order of restore points, or make
//! a suspect one look trusted, and nobody would see. It finds accidents; who must not be deceived asks for a signature, see
//! [`crate::authenticity`].

use serde::Serialize;

use crate::authenticity;
use crate::signature::SigningKey;

/// A manifest as it is written. The digest is that of the same bytes with nothing between its quotes, the signature that of
/// the same bytes with nothing between the quotes of either. Both come last, in this order.
#[derive(Serialize)]
struct Written<'a, T> {
    #[serde(flatten)]
    manifest: &'a T,
    /// Which key signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    manifest_blake3: &'a str,
}

/// The bytes of the file of a manifest, signed if there is a key.
pub(crate) fn with(manifest: &impl Serialize, key: Option<&SigningKey>) -> serde_json::Result<Vec<u8>> {
    let signed_by = key.map(SigningKey::id);
    let draw = |signature: Option<&str>, manifest_blake3: &str| {
        let written = Written { manifest, signed_by: signed_by.as_deref(), signature, manifest_blake3 };
        let mut bytes = serde_json::to_vec_pretty(&written)?;
        bytes.push(b'\n');
        Ok::<_, serde_json::Error>(bytes)
    };
    let signature = key.map(|key| draw(Some(""), "").map(|bytes| authenticity::sign(key, &bytes))).transpose()?;
    draw(signature.as_deref(), &blake3::hash(&draw(signature.as_deref(), "")?).to_hex())
}

/// Whether the bytes of a manifest are those that were written, by the digest that they give; what an older version wrote has
/// none, and is taken as it is. The error says what is wrong.
pub(crate) fn check(bytes: &[u8], expected: Option<&str>) -> Result<(), String> {
    let Some(expected) = expected else { return Ok(()) };
    let at = bytes.windows(expected.len().max(1)).rposition(|window| window == expected.as_bytes());
    let at = at.unwrap_or(bytes.len());
    let rest = bytes.get(at + expected.len()..).unwrap_or_default();
    let found = blake3::Hasher::new().update(&bytes[..at]).update(rest).finalize().to_hex();
    if found.as_str() == expected {
        return Ok(());
    }
    Err(format!("its manifest was changed or damaged: BLAKE3: expected {expected:?}, found \"{found}\""))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Digest {
        manifest_blake3: Option<String>,
    }

    fn check(bytes: &[u8]) -> Result<(), String> {
        let read: Digest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        super::check(bytes, read.manifest_blake3.as_deref())
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        sequence: u64,
        suspicions: Vec<String>,
    }

    fn sample() -> (Sample, Vec<u8>) {
        let sample = Sample { sequence: 7, suspicions: vec!["empty".into()] };
        let written = with(&sample, None).unwrap();
        (sample, written)
    }

    #[test]
    fn a_manifest_with_its_digest_reads_as_before() {
        let (sample, written) = sample();
        assert_eq!(check(&written), Ok(()));
        assert_eq!(serde_json::from_slice::<Sample>(&written).unwrap(), sample);
        assert_eq!(check(&serde_json::to_vec(&sample).unwrap()), Ok(()), "as an older version wrote it");
    }

    #[test]
    fn a_flipped_bit_is_seen_or_says_nothing_else() {
        let (sample, written) = sample();
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut flipped = written.clone();
                flipped[at] ^= 1 << bit;
                let read = check(&flipped).map(|()| serde_json::from_slice::<Sample>(&flipped).ok());
                assert!(read.is_err() || read == Ok(Some(sample.clone())), "{}", String::from_utf8_lossy(&flipped));
            }
        }
    }

    #[test]
    fn a_cut_manifest_or_another_digest_is_refused() {
        let (_, written) = sample();
        for bad in [&b""[..], b"{}x", b"{\"manifest_blake3\":\"\"}", b"{\"manifest_blake3\":\"00\"}", &written[1..]] {
            assert!(check(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
