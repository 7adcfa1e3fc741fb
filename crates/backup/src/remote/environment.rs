//! What the environment says of a store: its address and its credentials.

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use object_store::ObjectStoreScheme;

use crate::{Error, bounds, openat};

/// Holds JSON, in which lines end.
const JSON: &str = "GOOGLE_SERVICE_ACCOUNT_KEY";

/// A file of which all is sent as the value of a header.
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Refuses what cannot be sent, such as the newline that `echo` or an editor puts behind a key: the store's client would
/// panic over it.
pub(super) fn check(scheme: &ObjectStoreScheme) -> Result<(), Error> {
    let prefix = match scheme {
        ObjectStoreScheme::AmazonS3 => "AWS_",
        ObjectStoreScheme::MicrosoftAzure => "AZURE_",
        ObjectStoreScheme::GoogleCloudStorage => "GOOGLE_",
        _ => return Ok(()),
    };
    for (name, value) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(prefix.as_bytes()) && name != JSON {
            expect_plain(&format!("the variable {}", name.display()), value.as_encoded_bytes())?;
        }
    }
    match env::var_os(TOKEN_FILE) {
        Some(path) if prefix == "AWS_" => token_file(Path::new(&path)),
        _ => Ok(()),
    }
}

fn token_file(path: &Path) -> Result<(), Error> {
    let token = openat::bytes_given(path, bounds::SECRET_BYTES).map_err(Error::io("read the token in", path))?;
    expect_plain(&format!("the file {} ({TOKEN_FILE})", path.display()), &token)
}

/// The error does not repeat the value, which may be a secret.
fn expect_plain(what: &str, value: &[u8]) -> Result<(), Error> {
    let Some(at) = value.iter().position(|byte| !(b' '..=b'~').contains(byte)) else { return Ok(()) };
    let found = match value[at] {
        b'\n' | b'\r' if value[at..].iter().all(u8::is_ascii_whitespace) => "ends with a newline".to_owned(),
        byte => format!("has a character that cannot be sent, byte {byte:#04x} at position {at}"),
    };
    Err(Error::RemoteAddress { reason: format!("{what} {found}; expected plain text in one line, so write it anew") })
}

/// The secrets of the environment that are long enough to be told from other words.
pub(super) fn credentials() -> impl Iterator<Item = String> {
    let is_credential = |name: &OsStr| {
        let name = name.to_string_lossy();
        let of_a_store = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix));
        of_a_store && ["KEY", "SECRET", "TOKEN", "SAS"].iter().any(|part| name.contains(part))
    };
    let secrets = env::vars_os().filter(move |(name, _)| is_credential(name));
    secrets.filter_map(|(_, value)| value.into_string().ok()).filter(|value| value.len() >= 4)
}
