//! The versions that a bucket keeps of its objects.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::bucket::{Ask, Bucket, parsed};
use super::words::CREDENTIALS;
use crate::Error;

/// A version of an object, or that it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The whole key of the object.
    pub key: String,
    pub id: String,
    /// When it was written, in whole seconds of the store's clock.
    pub modified: Timestamp,
    /// Its size in bytes; `None` for a delete marker.
    pub bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_version_id_marker: String,
    /// In the order of the keys, each with its newest version first.
    #[serde(rename = "$value", default)]
    entries: Vec<Listed>,
}

#[derive(Deserialize)]
enum Listed {
    Version(Described),
    DeleteMarker(Described),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    key: String,
    version_id: String,
    last_modified: Timestamp,
    size: Option<u64>,
}

impl Bucket {
    /// Shows every version of the objects whose keys begin with `prefix`: in the order of the keys, each with its newest first,
    /// as S3 lists them, until it was shown enough. The client bounds the number of pages.
    pub async fn each_version(
        &self,
        prefix: &str,
        mut show: impl FnMut(Version) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut marker = (String::new(), String::new());
        loop {
            let page = self.page(prefix, &marker).await?;
            for listed in page.entries {
                if let Some(version) = listed.version()
                    && show(version).is_break()
                {
                    return Ok(());
                }
            }
            if !page.is_truncated {
                return Ok(());
            }
            let next = (page.next_key_marker, page.next_version_id_marker);
            if next.0 < marker.0 || next == marker {
                let reason = format!("its listing does not continue after {:?}", next.0);
                return Err(Error::remote("list the versions in", self.name(prefix), reason));
            }
            marker = next;
        }
    }

    async fn page(&self, prefix: &str, marker: &(String, String)) -> Result<Page, Error> {
        let mut ask = Ask::new(Method::GET, "").query("versions", "").query("prefix", prefix);
        if !marker.0.is_empty() {
            ask = ask.query("key-marker", marker.0.as_str());
        }
        if !marker.1.is_empty() {
            ask = ask.query("version-id-marker", marker.1.as_str());
        }
        let failed = |reason: String| Error::remote("list the versions in", self.name(prefix), reason);
        let answer = self.send(&ask).await?;
        match answer.refusal() {
            None => parsed(&answer.body).map_err(failed),
            Some(refusal) => Err(failed(format!("{refusal}; {CREDENTIALS} (s3:ListBucketVersions)"))),
        }
    }

    /// The first and the last version of each object whose key begins with `prefix`, by key. What a push writes has one, or a
    /// second where it was deleted and pushed again; what came later is somebody else's, and then the first is not.
    pub(super) async fn first_and_last(&self, prefix: &str) -> Result<BTreeMap<String, Vec<Version>>, Error> {
        let mut found: BTreeMap<String, Vec<Version>> = BTreeMap::new();
        let keep = |version: Version| {
            if version.bytes.is_some() {
                // The newest come first.
                let ends = found.entry(version.key.clone()).or_default();
                ends.truncate(1);
                ends.push(version);
            }
            ControlFlow::Continue(())
        };
        self.each_version(prefix, keep).await?;
        Ok(found)
    }

    /// Whether the bucket keeps versions; `None` if these credentials may not know.
    pub async fn keeps_versions(&self) -> Result<Option<bool>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Versioning {
            #[serde(default)]
            status: String,
        }
        let answer = self.send(&Ask::new(Method::GET, "").query("versioning", "")).await?;
        let failed = |reason: String| Error::remote("read the versioning of", self.name(""), reason);
        match answer.refusal() {
            None => parsed::<Versioning>(&answer.body).map(|found| Some(found.status == "Enabled")).map_err(failed),
            Some(refusal) if refusal.status == 403 => Ok(None),
            Some(refusal) if refusal.is_unsupported() => Ok(Some(false)),
            Some(refusal) => Err(failed(refusal.to_string())),
        }
    }
}

impl Listed {
    fn version(self) -> Option<Version> {
        let (described, is_marker) = match self {
            Self::Version(described) => (described, false),
            Self::DeleteMarker(described) => (described, true),
            Self::Other => return None,
        };
        let Described { key, version_id: id, last_modified: modified, size } = described;
        let bytes = if is_marker { None } else { Some(size.unwrap_or(0)) };
        Some(Version { key, id, modified, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_the_order_of_versions_and_delete_markers() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Name>b</Name><Prefix>p/</Prefix><KeyMarker/><MaxKeys>4</MaxKeys><IsTruncated>true</IsTruncated>
              <NextKeyMarker>p/a&amp;b</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>
              <Version><Key>p/a&amp;b</Key><VersionId>3</VersionId><IsLatest>true</IsLatest>
                <LastModified>2026-11-22T18:09:35.000Z</LastModified><ETag>"e"</ETag><Size>7</Size>
                <Owner><ID>o</ID></Owner><StorageClass>STANDARD</StorageClass></Version>
              <DeleteMarker><Key>p/a&amp;b</Key><VersionId>2</VersionId><IsLatest>false</IsLatest>
                <LastModified>2026-11-22T18:09:35.000Z</LastModified></DeleteMarker>
              <Version><Key>p/a&amp;b</Key><VersionId>1</VersionId><IsLatest>false</IsLatest>
                <LastModified>2026-11-22T18:09:34.000Z</LastModified><Size>5</Size></Version>
            </ListVersionsResult>"#;
        let page: Page = parsed(xml.as_bytes()).unwrap();
        assert!(page.is_truncated);
        assert_eq!((page.next_key_marker.as_str(), page.next_version_id_marker.as_str()), ("p/a&b", "2"));
        let versions: Vec<Version> = page.entries.into_iter().filter_map(Listed::version).collect();
        let seen: Vec<_> = versions.iter().map(|version| (version.id.as_str(), version.bytes)).collect();
        assert_eq!(seen, [("3", Some(7)), ("2", None), ("1", Some(5))]);
        assert!(versions.iter().all(|version| version.key == "p/a&b"));
    }
}
