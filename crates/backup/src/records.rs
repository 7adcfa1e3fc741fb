//! The small JSON files in which a repository remembers what is in no manifest.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, bounds, durable, openat};

/// Nothing, where there is no such file.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, Error> {
    match openat::bytes(path, bounds::RECORD_BYTES) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::io("understand", path)(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

pub(crate) fn write(path: &Path, records: &impl Serialize) -> Result<(), Error> {
    let bytes = serde_json::to_vec_pretty(records).map_err(|error| Error::io("write", path)(error.into()))?;
    durable::replace(path, &bytes)
}
