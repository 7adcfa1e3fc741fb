//! Where a remote repository is.

use std::fmt;
use std::str::FromStr;

use object_store::ObjectStoreScheme;
use object_store::path::Path;
use url::Url;

const FORMS: &str = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///DIRECTORY";

/// A URL without anything secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub url: Url,
    pub scheme: ObjectStoreScheme,
    /// What all keys begin with; empty for a directory.
    pub prefix: Path,
}

impl FromStr for Address {
    type Err = String;

    /// The error does not repeat the URL: people put passwords into them.
    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| format!("it is not a URL ({error}); expected {FORMS}"))?;
        if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("others could see a password or parameters in the URL; set credentials in the environment \
            (AWS_…, AZURE_…, GOOGLE_…)"
                .into());
        }
        // The name of a directory need not be UTF-8, as keys are.
        let parsed = match url.scheme() {
            "file" => Ok((ObjectStoreScheme::Local, Path::default())),
            _ => ObjectStoreScheme::parse(&url),
        };
        let (scheme, prefix) =
            parsed.map_err(|_| format!("{}:// is not a known store; expected {FORMS}", url.scheme()))?;
        let names_container = scheme == ObjectStoreScheme::MicrosoftAzure;
        match scheme {
            _ if !url.username().is_empty() && !names_container => {
                Err(format!("the URL contains a user name; expected {FORMS}"))
            }
            _ if !url
                .host_str()
                .unwrap_or_default()
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) =>
            {
                Err(format!("a bucket name consists of ASCII letters, digits, '.', '-' and '_'; expected {FORMS}"))
            }
            ObjectStoreScheme::Local => Ok(Self { url, scheme, prefix: Path::default() }),
            ObjectStoreScheme::AmazonS3 | ObjectStoreScheme::GoogleCloudStorage | ObjectStoreScheme::MicrosoftAzure => {
                Ok(Self { url, scheme, prefix })
            }
            _ => Err(format!("{}:// cannot hold restore points; expected {FORMS}", url.scheme())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl Address {
    pub(super) fn object(&self, key: &Path) -> String {
        let relative = key
            .prefix_match(&self.prefix)
            .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"));
        format!("{self}/{}", relative.unwrap_or_else(|| key.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_known_by_their_scheme() {
        for (text, prefix, object) in [
            ("s3://bucket", "", "s3://bucket/a.json"),
            ("s3://bucket/some/where/", "some/where", "s3://bucket/some/where/a.json"),
            ("gs://bucket/x", "x", "gs://bucket/x/a.json"),
            ("az://container/x", "x", "az://container/x/a.json"),
            (
                "abfss://container@account.dfs.core.windows.net/x",
                "x",
                "abfss://container@account.dfs.core.windows.net/x/a.json",
            ),
            ("file:///mnt/nas", "", "file:///mnt/nas/a.json"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.prefix.as_ref(), prefix, "{text}");
            assert_eq!(address.object(&address.prefix.clone().join("a.json")), object);
        }
    }

    #[test]
    fn what_is_no_address_says_why_and_repeats_no_secret() {
        for (text, reason) in [
            ("bucket/secret", "not a URL"),
            ("ftp://secret", "ftp:// is not a known store"),
            ("https://example.org/secret", "cannot hold restore points"),
            ("s3://key:secret@bucket", "credentials in the environment"),
            ("s3://secret@bucket", "the URL contains a user name"),
            ("s3://secret`/x", "a bucket name consists of"),
            ("az://container/x?sig=secret", "credentials in the environment"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(reason) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
