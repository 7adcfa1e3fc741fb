//! The access rights of a file: owner, group, mode and extended attributes, including ACLs.
//!
//! Whoever works in a directory of their own decides by the mode alone, as ever. A *guest*, root above all, works in that
//! of somebody else, who must be able to go on afterwards.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::unistd::{Uid, getegid, geteuid};
use xattr::FileExt;

use crate::paths::directory_of;
use crate::{Error, openat};

/// Where Linux keeps the entries of an ACL that the mode has no room for.
const ACL: &str = "system.posix_acl_access";

/// Attributes that sign the content, which is about to be another.
const OF_THE_CONTENT: [&str; 2] = ["security.ima", "security.evm"];

const OWNER: u32 = 0o600;
const GROUP: u32 = 0o060;
const OTHERS: u32 = 0o006;
const STICKY: u32 = 0o1000;

/// What belongs to a file beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Belongings {
    uid: u32,
    gid: u32,
    mode: u32,
    /// `None` leaves those that there are.
    attributes: Option<Vec<(OsString, Vec<u8>)>>,
}

impl Belongings {
    /// Those of a file that is replaced, at its real path.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let metadata = fs::symlink_metadata(path).map_err(Error::io("look at", path))?;
        Ok(Self { attributes: Some(attributes(path)), ..Self::without_attributes(&metadata) })
    }

    /// Those of a file that replaces nothing, of which a copy is at `like`: its directory tells whose it is, and whoever
    /// may create files there may write it.
    pub(crate) fn of_new_in(directory: &Path, like: &Path) -> Result<Self, Error> {
        let looks = |path: &Path| fs::symlink_metadata(path).map_err(Error::io("look at", path));
        let [place, like] = [directory, like].map(looks);
        let (place, like) = (place?, like?);
        let mut new = Self { mode: like.mode() & 0o777 | OWNER, ..Self::of_directory(&place) };
        // An owner of the directory who can write the file does not depend on the group.
        let has_its_owner = place.uid() != 0 && place.uid() == new.uid;
        if place.mode() & 0o020 != 0 && !has_its_owner {
            new.mode |= GROUP;
        }
        // A volume that is open to all tells nothing of who uses it. The copy may, if it is that of the user.
        let is_open = place.mode() & 0o002 != 0 && place.mode() & STICKY == 0;
        if geteuid().is_root() && place.uid() == 0 && is_open {
            match like.uid() {
                0 => new.mode |= OTHERS,
                uid => (new.uid, new.gid) = (uid, like.gid()),
            }
        }
        Ok(new)
    }

    fn without_attributes(metadata: &Metadata) -> Self {
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o7777, attributes: None }
    }

    /// The owner and the group a guest leaves a file to. Only root can give it away; others share it with the group
    /// that may write there too.
    fn of_directory(place: &Metadata) -> Self {
        let root = geteuid().is_root();
        let shared = root || (place.mode() & 0o020 != 0 && place.mode() & 0o002 == 0);
        Self {
            uid: if root { place.uid() } else { geteuid().as_raw() },
            gid: if shared { place.gid() } else { getegid().as_raw() },
            mode: OWNER,
            attributes: None,
        }
    }

    /// Gives them to a file. What the file system or the kernel refuses is left as it is, and said once: a CIFS or FUSE
    /// volume has one owner for all files, and a file that belongs to another is better than none.
    pub(crate) fn give(&self, file: &File, path: &Path) -> Result<(), Error> {
        let mut refused = Vec::new();
        self.try_to_give(file, &mut refused).map_err(Error::io("set the owner and the permissions of", path))?;
        if !refused.is_empty() {
            say_once(path, &refused.join(", "));
        }
        Ok(())
    }

    fn try_to_give(&self, file: &File, refused: &mut Vec<String>) -> io::Result<()> {
        let (has, mut mode) = (file.metadata()?, self.mode);
        if (has.uid(), has.gid()) != (self.uid, self.gid)
            && let Some(error) = refusal(fchown(file, Some(self.uid), Some(self.gid)))?
        {
            refused.push(format!("owner {}:{} ({error})", self.uid, self.gid));
            if has.gid() != self.gid && refusal(fchown(file, None, Some(self.gid)))?.is_some() {
                // What was for one group is not for another.
                mode &= !GROUP | (mode & OTHERS) << 3;
            }
        }
        // A change of the owner takes bits away.
        if file.metadata()?.mode() & 0o7777 != mode
            && let Some(error) = refusal(file.set_permissions(Permissions::from_mode(mode)))?
        {
            refused.push(format!("mode {mode:o} ({error})"));
        }
        let Some(attributes) = &self.attributes else { return Ok(()) };
        // It may have inherited an ACL from its directory.
        if !attributes.iter().any(|(name, _)| name == ACL) && has_xattr(file, ACL.as_ref(), None) {
            refusal(file.remove_xattr(ACL))?;
        }
        for (name, value) in attributes.iter().filter(|(name, value)| !has_xattr(file, name, Some(value))) {
            if let Some(error) = refusal(file.set_xattr(name, value))? {
                refused.push(format!("{} ({error})", name.display()));
            }
        }
        Ok(())
    }
}

/// The error if it says that this cannot be done here, in contrast to a disk that fails.
fn refusal(result: io::Result<()>) -> io::Result<Option<io::Error>> {
    const REFUSALS: [Errno; 6] =
        [Errno::EPERM, Errno::EACCES, Errno::EINVAL, Errno::EOPNOTSUPP, Errno::ENOSYS, Errno::ENOTTY];
    match result {
        Ok(()) => Ok(None),
        Err(error) if error.raw_os_error().is_some_and(|errno| REFUSALS.contains(&Errno::from_raw(errno))) => {
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

fn has_xattr(file: &File, name: &OsStr, value: Option<&[u8]>) -> bool {
    matches!(file.get_xattr(name), Ok(Some(there)) if value.is_none_or(|value| there == value))
}

/// A file system without attributes has none, and one that may not be read is not for us to give.
fn attributes(path: &Path) -> Vec<(OsString, Vec<u8>)> {
    let names = xattr::list(path).into_iter().flatten();
    let kept = names.filter(|name| !OF_THE_CONTENT.iter().any(|other| name == other));
    kept.filter_map(|name| Some((name.clone(), xattr::get(path, &name).ok()??))).collect()
}

fn say_once(path: &Path, refused: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!("cannot set on {}: {refused}; check that its users can read and write it", path.display());
    }
}

/// Whether this process works in a directory that is not its own.
fn is_guest(place: &Metadata) -> bool {
    geteuid() != Uid::from_raw(place.uid())
}

/// Creates the file of a copy, for those who may read what is copied: a copy is no way around its permissions. A guest
/// keeps its owner and its group as well, and its ACL, so that whoever could have taken the copy can read it. Gives the file,
/// to be written and read: it is not opened by its name again.
pub(crate) fn create_copy(source: &Path, target: &Path) -> Result<File, Error> {
    let directory = directory_of(target);
    let place = fs::metadata(directory).map_err(Error::io("look at", directory))?;
    let mut like = Belongings::of(source)?;
    like.mode = like.mode & 0o777 | OWNER;
    let create = |mode| openat::create(target, mode).map_err(Error::io("create", target));
    if is_guest(&place) {
        like.attributes.iter_mut().for_each(|attributes| attributes.retain(|(name, _)| name == ACL));
        let file = create(OWNER)?;
        like.give(&file, target)?;
        return Ok(file);
    }
    let file = create(like.mode)?;
    let own = Belongings::without_attributes(&file.metadata().map_err(Error::io("look at", target))?);
    Belongings { mode: like.mode, ..own }.give(&file, target)?;
    Ok(file)
}

/// Leaves a file that a guest made to those whose directory it is in. Of the bits of `mode`, their group and others get
/// those they have on the directory.
pub(crate) fn leave_to_directory(file: &File, path: &Path, mode: u32) -> Result<(), Error> {
    let directory = directory_of(path);
    let place = fs::metadata(directory).map_err(Error::io("look at", directory))?;
    if !is_guest(&place) {
        return Ok(());
    }
    Belongings { mode: OWNER | mode & place.mode() & 0o777, ..Belongings::of_directory(&place) }.give(file, path)
}

/// Opens the file of a lock, and creates it for those who may write its directory: whoever can open it can hold it, so
/// those who only read must not.
pub fn open_lock(path: &Path) -> Result<File, Error> {
    let directory = directory_of(path);
    let place = fs::metadata(directory).map_err(Error::io("look at", directory))?;
    let writers = place.mode() & 0o222;
    let file = match openat::share(path, OWNER) {
        // Of another user, as an older version left it. What was opened to be read can be locked all the same.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return openat::read(path).map_err(|_| Error::io("open", path)(error));
        }
        opened => opened.map_err(Error::io("open", path))?,
    };
    let has = file.metadata().map_err(Error::io("look at", path))?;
    if geteuid().is_root() || geteuid().as_raw() == has.uid() {
        let mode = OWNER | writers | writers << 1;
        Belongings { mode, ..Belongings::of_directory(&place) }.give(&file, path)?;
    }
    Ok(file)
}
