//! The address and credentials of a store in the environment.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use object_store::ObjectStoreScheme;

use crate::{Error, bounds, openat};

/// Holds JSON, in which lines end.
const JSON: &str = "GOOGLE_SERVICE_ACCOUNT_KEY";

/// A file of which all is sent as the value of a header.
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// What is shorter may be any word.
const SECRET_LENGTH_MIN: usize = 4;

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
        byte => format!("contains an invalid character, byte {byte:#04x} at position {at}"),
    };
    Err(Error::RemoteAddress { reason: format!("{what} {found}; expected one line of plain text, so set it again") })
}

/// As the store's client reads it.
pub(super) fn is_true(value: &str) -> bool {
    ["1", "true", "on", "yes", "y"].contains(&value.to_ascii_lowercase().as_str())
}

/// The text without the secrets that the environment holds: the credentials of stores, and the passwords of proxies.
pub fn redacted(text: &str) -> String {
    static SECRETS: LazyLock<Vec<String>> = LazyLock::new(|| secrets(env::vars_os()));
    SECRETS.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}

/// Those that are long enough to be told from other words, the longest first: one may be a part of another.
fn secrets(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in variables {
        let (name, Some(value)) = (name.to_string_lossy().to_ascii_uppercase(), value.to_str()) else { continue };
        let of_a_store = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix));
        if of_a_store && ["KEY", "SECRET", "TOKEN", "SAS"].iter().any(|part| name.contains(part)) {
            secrets.push(value.to_owned());
        }
        if name.ends_with("_PROXY") || name.ends_with("_PROXY_URL") {
            secrets.extend(of_a_proxy(value));
        }
    }
    secrets.retain(|secret| secret.len() >= SECRET_LENGTH_MIN);
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    secrets
}

/// The user and the password in the address of a proxy: as they are there, as they are meant, and as they are sent.
fn of_a_proxy(address: &str) -> Vec<String> {
    let (_, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((given, _)) = authority.rsplit_once('@') else { return Vec::new() };
    let meant = percent_encoding::percent_decode_str(given).decode_utf8_lossy().into_owned();
    let password = |pair: &str| pair.split_once(':').map(|(_, password)| password.to_owned());
    let passwords = [given, &meant].into_iter().filter_map(password).collect::<Vec<_>>();
    passwords.into_iter().chain([STANDARD.encode(&meant), given.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_those_of_stores_and_of_proxies() {
        let variables = [
            ("AWS_SECRET_ACCESS_KEY", "a-secret-of-a-store"),
            ("AWS_REGION", "eu-west-3"),
            ("AZURE_STORAGE_KEY", "abc"),
            ("https_proxy", "http://me:p%40ssword@proxy.example:3128/"),
            ("AWS_PROXY_URL", "proxy.example"),
        ];
        let secrets = secrets(variables.map(|(name, value)| (name.into(), value.into())).into_iter());
        for expected in ["a-secret-of-a-store", "p%40ssword", "p@ssword", "bWU6cEBzc3dvcmQ="] {
            assert!(secrets.iter().any(|secret| secret == expected), "{secrets:?}");
        }
        assert!(
            !secrets.iter().any(|secret| ["eu-west-3", "abc", "proxy.example"].contains(&&**secret)),
            "{secrets:?}"
        );
    }
}
