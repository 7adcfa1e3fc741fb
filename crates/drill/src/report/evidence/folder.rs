//! What is in a folder that is signed: regular files with names in Unicode, and nothing else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use backup::bounds::SIGNED_FILE_BYTES;
use backup::openat;
use backup::signature::hex;
use ring::digest::{Context, SHA256};

use super::FILE;

/// The SHA-256 of each file of a folder but the envelope, or why it has none: it is not a regular file, or too large.
pub(super) fn digests(folder: &Path) -> Result<BTreeMap<OsString, Result<String, String>>> {
    let context = || format!("cannot look into {}", folder.display());
    let mut digests = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        if entry.file_name() == FILE {
            continue;
        }
        let kind = entry.file_type().with_context(context)?;
        let digest = match kind {
            kind if kind.is_symlink() => Err("is a symbolic link".to_owned()),
            kind if !kind.is_file() => Err("is not a regular file".to_owned()),
            _ => sha256_of(&entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?,
        };
        digests.insert(entry.file_name(), digest);
    }
    Ok(digests)
}

fn sha256_of(path: &Path) -> io::Result<Result<String, String>> {
    let file = openat::read(path)?;
    if file.metadata()?.len() > SIGNED_FILE_BYTES {
        return Ok(Err(format!("is larger than {SIGNED_FILE_BYTES} bytes")));
    }
    let (mut file, mut digest, mut chunk) = (file.take(SIGNED_FILE_BYTES), Context::new(&SHA256), vec![0; 1 << 16]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Ok(hex(digest.finish().as_ref()))),
            read => digest.update(&chunk[..read]),
        }
    }
}
