//! Objects that are created once, and never written again.

use std::collections::BTreeMap;

use object_store::{Error as E, ObjectStoreExt as _, PutMode, PutPayload};

use super::layout::{Link, RemoteManifest, Stored};
use super::{Remote, listing};
use crate::signature::SigningKey;
use crate::{Error, self_digest};

/// Creates a piece; `false` if something else has its key, which holds its digest. It is there already where an answer was
/// lost, or another push sends the same.
pub(super) async fn put(remote: &Remote, key: String, content: Vec<u8>, blake3: String) -> Result<bool, Error> {
    let (key, payload) = (remote.key(&key), PutPayload::from(content));
    remote.check_planted(&key).map_err(|reason| Error::remote("write", remote.object(&key), reason))?;
    let mut tries = 0;
    let error = loop {
        match remote.store.put_opts(&key, payload.clone(), PutMode::Create.into()).await {
            Ok(_) => return Ok(true),
            // Of an answer that was lost, the store's client does not know whether it may ask again.
            Err(E::Generic { .. }) if tries < remote.retries => tries += 1,
            Err(error) => break error,
        }
    };
    if !may_exist(&error) {
        return Err(remote.failed("write", &key)(error));
    }
    match remote.store.get(&key).await {
        Err(E::NotFound { .. }) => Err(remote.failed("write", &key)(error)),
        found => {
            let content = async { found?.bytes().await }.await.map_err(remote.failed("read", &key))?;
            Ok(blake3::hash(&content).to_hex().as_str() == blake3)
        }
    }
}

/// Whether an object is not created since there may be one. Where it may only be added to, a store may answer as if nothing
/// were allowed.
fn may_exist(error: &E) -> bool {
    matches!(error, E::AlreadyExists { .. } | E::Precondition { .. } | E::PermissionDenied { .. })
}

/// A store that kept less than it acknowledged gets no manifest.
pub(super) async fn confirm_sizes(remote: &Remote, stored: &Stored) -> Result<(), Error> {
    let folder = remote.key(&stored.folder);
    let objects = listing::objects(remote, &folder).await?;
    let sizes: BTreeMap<_, _> = objects.into_iter().map(|object| (object.location, object.size)).collect();
    for (key, piece) in stored.keys().zip(&stored.pieces) {
        let key = remote.key(&key);
        let found = sizes.get(&key).copied();
        if found != Some(piece.bytes) {
            let found = found.map_or("none".to_owned(), |bytes| bytes.to_string());
            let reason = format!(
                "it was sent and acknowledged, but has the wrong size in bytes: expected {}, found {found}; nothing \
                 was published, push again",
                piece.bytes
            );
            return Err(Error::remote("store", remote.object(&key), reason));
        }
    }
    Ok(())
}

/// What became of a record that was to be created.
pub(super) enum Created {
    Done(Link),
    /// Its key has this content.
    Taken(Vec<u8>),
}

pub(super) async fn create(
    remote: &Remote,
    described: &RemoteManifest,
    key: &str,
    sign_key: Option<&SigningKey>,
) -> Result<Created, Error> {
    let object = remote.key(key);
    let unwritable = |error: serde_json::Error| Error::remote("write", remote.object(&object), error);
    let bytes = self_digest::with(described, sign_key).map_err(unwritable)?;
    let record = Link { key: key.to_owned(), blake3: blake3::hash(&bytes).to_hex().to_string() };
    remote.check_planted(&object).map_err(|reason| Error::remote("write", remote.object(&object), reason))?;
    let answer = remote.store.put_opts(&object, bytes.clone().into(), PutMode::Create.into()).await;
    let error = match answer {
        Ok(_) => return Ok(Created::Done(record)),
        Err(error) if may_exist(&error) => error,
        Err(error) => return Err(remote.failed("write", &object)(error)),
    };
    match listing::get(remote, key).await? {
        // It was this one, and the answer was lost.
        Some(Ok(found)) if found == bytes => Ok(Created::Done(record)),
        Some(found) => Ok(Created::Taken(found.unwrap_or_default())),
        None => Err(remote.failed("write", &object)(error)),
    }
}
