//! DSSE: what is signed is the payload together with its type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{PublicKey, SigningKey};

/// The type of an in-toto statement.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    /// A hint only; it is not signed.
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    pub(super) fn seal(payload: &[u8], key: &SigningKey) -> Self {
        let sig = STANDARD.encode(key.sign(&to_be_signed(PAYLOAD_TYPE, payload)));
        Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature { keyid: key.id(), sig }],
        }
    }

    /// Gives the payload of an envelope that the key fits; else what is wrong with it.
    pub(super) fn open(bytes: &[u8], key: &PublicKey) -> Result<Vec<u8>, String> {
        let envelope: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("the envelope is not one of DSSE: {error}"))?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(format!("the envelope holds {:?}, expected {PAYLOAD_TYPE:?}", envelope.payload_type));
        }
        let payload =
            STANDARD.decode(&envelope.payload).map_err(|error| format!("the payload is not base64: {error}"))?;
        let message = to_be_signed(&envelope.payload_type, &payload);
        let fits = |signature: &Signature| STANDARD.decode(&signature.sig).is_ok_and(|sig| key.fits(&message, &sig));
        match envelope.signatures.iter().any(fits) {
            true => Ok(payload),
            false => Err("no signature fits the key: another key signed it, or it was changed since".to_owned()),
        }
    }
}

/// DSSE's pre-authentication encoding.
fn to_be_signed(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_encoded_as_the_protocol_has_it() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(to_be_signed("http://example.com/HelloWorld", b"hello world"), expected);
    }
}
