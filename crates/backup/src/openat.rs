//! Opens files where others may write, for everybody: `openat(2)` from the handle of a directory.
//!
//! Two kinds of paths are told apart. What a user names, a directory or a database, may lead through symbolic links: a link is
//! followed if it belongs to root, to the user of this process, or to the owner of what it leads to. Nobody can lead this process
//! to what is another's, which is the rule of Linux's `protected_symlinks`, whatever the sticky bit says. What this program
//! names *in* a directory is opened there and nowhere else: no link is followed, and nothing is opened that is no regular file,
//! so that no pipe holds it up. New files are new: `O_EXCL`.
//!
//! Root works in directories of others as a matter of course, so that this is neither refused nor warned of; only what is
//! planted there is refused, by its name. A directory that everybody may write is warned of.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;

const HANDLE: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const FILE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// Opens a regular file to read it.
///
/// # Errors
/// As the kernel has them, and for what is planted; so do the others here.
pub fn read(path: &Path) -> io::Result<File> {
    NameIn::named(path)?.open(OFlag::O_RDONLY, 0)
}

/// Opens a regular file that exists to read and write it.
pub fn update(path: &Path) -> io::Result<File> {
    NameIn::named(path)?.open(OFlag::O_RDWR, 0)
}

/// Creates a file that does not exist, to read and write it. The mode is cut by the process's mask.
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    NameIn::named(path)?.open(OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL, mode)
}

/// Opens a regular file to read and write it, and creates it where there is none. For what all who may write the directory
/// share, such as locks.
pub fn share(path: &Path, mode: u32) -> io::Result<File> {
    NameIn::named(path)?.open(OFlag::O_RDWR | OFlag::O_CREAT, mode)
}

/// The same, to add to its end.
pub fn append(path: &Path, mode: u32) -> io::Result<File> {
    NameIn::named(path)?.open(OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND, mode)
}

/// The bytes of a regular file that has at most `max` of them.
pub fn bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    up_to(read(path)?, max)
}

/// The bytes of a file that a user names, as of a key: it may be a pipe, and lie behind any links.
pub fn bytes_given(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    up_to(File::open(path)?, max)
}

/// Opens a database that a user names, to read it or to write it too.
pub fn database(path: &Path, writes: bool) -> io::Result<File> {
    NameIn::given(path)?.open(if writes { OFlag::O_RDWR } else { OFlag::O_RDONLY }, 0)
}

/// Where the links of a path lead whose end may be missing. SQLite opens what is there by this path, without following another
/// link. The file itself is not opened, which would drop this process's locks on it.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    Ok(NameIn::given(path)?.path())
}

/// The same for a name in a directory, of which only the directory's path may have links.
pub fn resolve_named(path: &Path) -> io::Result<PathBuf> {
    Ok(NameIn::named(path)?.path())
}

/// Opens a directory that a user names, to list it or to bring it to disk.
pub fn directory(path: &Path) -> io::Result<File> {
    let (handle, _) = walk(path)?;
    Ok(openat(handle, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?.into())
}

/// What is in a directory, and whether that is a directory or a regular file.
pub fn list(path: &Path) -> io::Result<Vec<(OsString, Kind)>> {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = directory(path)?;
    let mut dir = Dir::from_fd(directory.try_clone()?.into())?;
    let mut found = Vec::new();
    for entry in dir.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if [".", ".."].iter().any(|other| name == *other) {
            continue;
        }
        let kind = match entry.file_type() {
            Some(Type::Directory) => Kind::Directory,
            Some(Type::File) => Kind::File,
            Some(_) => Kind::Other,
            // Some file systems do not tell.
            None => match fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => Kind::of(SFlag::from_bits_truncate(stat.st_mode)),
                Err(Errno::ENOENT) => continue,
                Err(errno) => return Err(errno.into()),
            },
        };
        found.push((name.to_owned(), kind));
    }
    Ok(found)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File,
    Other,
}

impl Kind {
    fn of(mode: SFlag) -> Self {
        match mode & SFlag::S_IFMT {
            SFlag::S_IFDIR => Self::Directory,
            SFlag::S_IFREG => Self::File,
            _ => Self::Other,
        }
    }
}

/// Gives a file another name, and takes that from the file that had it, be it a link.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (NameIn::named(from)?, NameIn::named(to)?);
    Ok(renameat(&from.directory, from.name.as_os_str(), &to.directory, to.name.as_os_str())?)
}

/// Removes a name, be it that of a link or a pipe, but not of a directory.
pub fn remove(path: &Path) -> io::Result<()> {
    let place = NameIn::named(path)?;
    Ok(unlinkat(&place.directory, place.name.as_os_str(), UnlinkatFlags::NoRemoveDir)?)
}

/// Says, once, of a directory that everybody may write, that root should not rely on what is in it.
pub fn warn_of_everybody(path: &Path, place: &Metadata) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let is_open = place.mode() & 0o002 != 0 && place.mode() & 0o1000 == 0;
    if is_open && geteuid().is_root() && !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "{} is writable by everybody, who could replace files that root writes or reads there; allow only one \
             user or group to write to it",
            path.display()
        );
    }
}

/// A name in an open directory.
struct NameIn {
    directory: OwnedFd,
    /// Without links.
    directory_path: PathBuf,
    name: OsString,
    /// Those that the name was found through.
    links: Vec<Link>,
}

struct Link {
    path: PathBuf,
    owner: u32,
}

impl NameIn {
    fn named(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| refuse("expected the path of a file, found a directory"))?.to_owned();
        let (directory, directory_path) = walk(crate::paths::directory_of(path))?;
        Ok(Self { directory, directory_path, name, links: Vec::new() })
    }

    fn given(path: &Path) -> io::Result<Self> {
        let mut place = Self::named(path)?;
        while let Some((link, target)) = link(&place.directory, &place.path())? {
            let mut links = std::mem::take(&mut place.links);
            links.push(link);
            if links.len() > LINKS_MAX {
                return Err(Errno::ELOOP.into());
            }
            let target = place.directory_path.join(target);
            let named = Self::named(&target)
                .map_err(|error| io::Error::new(error.kind(), format!("it links to {}: {error}", target.display())));
            place = Self { links, ..named? };
        }
        place.check_links(place.owner()?)?;
        Ok(place)
    }

    fn path(&self) -> PathBuf {
        self.directory_path.join(&self.name)
    }

    /// Whose the file is, or would be if it is missing: that of its directory.
    fn owner(&self) -> io::Result<u32> {
        match fstatat(&self.directory, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stat.st_uid),
            Err(Errno::ENOENT) => Ok(fstat(&self.directory)?.st_uid),
            Err(errno) => Err(errno.into()),
        }
    }

    fn check_links(&self, owner: u32) -> io::Result<()> {
        check_links(&self.links, owner)
    }

    fn open(&self, flags: OFlag, mode: u32) -> io::Result<File> {
        let opened = openat(&self.directory, self.name.as_os_str(), FILE | flags, Mode::from_bits_truncate(mode));
        let file = File::from(opened.map_err(explain)?);
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        if !kind.is_file() {
            let found = match () {
                () if kind.is_dir() => "a directory",
                () if kind.is_fifo() => "a pipe",
                () => "a device",
            };
            return Err(refuse(&not_a_file(found)));
        }
        self.check_links(metadata.uid())?;
        self.check_names(&metadata)?;
        Ok(file)
    }

    /// Refuses to let root be led to a file of somebody else by a second name of it, where others may have given it that name.
    fn check_names(&self, file: &Metadata) -> io::Result<()> {
        if file.nlink() <= 1 || !geteuid().is_root() {
            return Ok(());
        }
        let place = fstat(&self.directory)?;
        let is_shared = place.st_mode & 0o022 != 0;
        let is_roots = place.st_uid == 0 && !is_shared;
        if is_roots || (!is_shared && file.uid() == place.st_uid) {
            return Ok(());
        }
        Err(refuse(&format!(
            "it has {} hard links, belongs to user {}, and is in a directory that others can write to; replace it \
             with a copy",
            file.nlink(),
            file.uid()
        )))
    }
}

/// Opens the handle of a directory, and gives its path without links.
fn walk(path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let (mut handle, mut at) = (root()?, PathBuf::from("/"));
    let mut left = steps(&std::path::absolute(path)?);
    let mut links = Vec::new();
    while let Some(name) = left.pop() {
        match openat(&handle, name.as_os_str(), HANDLE | OFlag::O_DIRECTORY, Mode::empty()) {
            Ok(directory) if name == ".." => {
                at.pop();
                handle = directory;
            }
            Ok(directory) => {
                at.push(&name);
                handle = directory;
            }
            // So it says of a link too.
            Err(Errno::ENOTDIR) => {
                let (link, target) = link(&handle, &at.join(&name))?.ok_or(Errno::ENOTDIR)?;
                links.push(link);
                if links.len() > LINKS_MAX {
                    return Err(Errno::ELOOP.into());
                }
                if target.is_absolute() {
                    (handle, at) = (root()?, PathBuf::from("/"));
                }
                left.extend(steps(&target));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    if !links.is_empty() {
        check_links(&links, fstat(&handle)?.st_uid)?;
    }
    Ok((handle, at))
}

fn root() -> io::Result<OwnedFd> {
    Ok(openat(AT_FDCWD, "/", HANDLE | OFlag::O_DIRECTORY, Mode::empty())?)
}

/// The names to go through, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// The link at a path whose directory is open, and where it leads; `None` if something else is there, or nothing.
fn link(directory: &OwnedFd, path: &Path) -> io::Result<Option<(Link, PathBuf)>> {
    // Whose it is and where it leads are asked of the same one.
    let handle = match openat(directory, path.file_name().unwrap_or_default(), HANDLE, Mode::empty()) {
        Ok(handle) => handle,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let stat = fstat(&handle)?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
        return Ok(None);
    }
    let target = readlinkat(&handle, "")?;
    Ok(Some((Link { path: path.to_owned(), owner: stat.st_uid }, target.into())))
}

fn check_links(links: &[Link], owner: u32) -> io::Result<()> {
    let trusted = [0, geteuid().as_raw(), owner];
    let Some(Link { path, owner: of }) = links.iter().find(|link| !trusted.contains(&link.owner)) else {
        return Ok(());
    };
    Err(refuse(&format!(
        "not following the symbolic link {}: it belongs to user {of}, but its target belongs to user {owner}; give \
         the path of the target, or recreate the link as root or as user {owner}",
        path.display()
    )))
}

fn explain(errno: Errno) -> io::Error {
    match errno {
        Errno::ELOOP => refuse(&not_a_file("a symbolic link, which is not followed here")),
        Errno::EISDIR => refuse(&not_a_file("a directory")),
        Errno::ENXIO => refuse(&not_a_file("a socket or a device")),
        errno => errno.into(),
    }
}

fn not_a_file(found: &str) -> String {
    format!("it is not a regular file but {found}; move it away")
}

fn refuse(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

fn up_to(file: File, max: u64) -> io::Result<Vec<u8>> {
    let too_long = |length: String| refuse(&format!("it has {length} bytes; expected at most {max}"));
    let length = file.metadata()?.len();
    if length > max {
        return Err(too_long(length.to_string()));
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max { Err(too_long(format!("more than {max}"))) } else { Ok(bytes) }
}
