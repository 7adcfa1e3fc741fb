//! A model of what is on a disk and of what is only in the memory of the kernel. It is meaner than any file system is
//! said to be: nothing but a sync puts one change before another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::faults::Call;

/// The content of all files, by path below the directory.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// Which file has which name, for whoever looks now, and on disk.
    names: BTreeMap<PathBuf, usize>,
    names_on_disk: BTreeMap<PathBuf, usize>,
    /// What was done to names and is not on disk.
    pending: Vec<Change>,
}

struct File {
    content: Vec<u8>,
    on_disk: Vec<u8>,
}

/// One change to the names of a directory: all of it gets to disk, or nothing.
#[derive(Clone)]
struct Change {
    removed: Option<PathBuf>,
    added: Option<(PathBuf, usize)>,
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        self.removed.as_ref().map(|name| names.remove(name));
        self.added.clone().map(|(name, file)| names.insert(name, file));
    }

    fn is_in(&self, directory: &Path) -> bool {
        let name = self.removed.as_ref().or(self.added.as_ref().map(|(name, _)| name));
        name.and_then(|name| name.parent()) == Some(directory)
    }
}

/// What became of the content that was not on disk.
#[derive(Clone, Copy, Debug)]
enum Data {
    There,
    Lost,
    HalfGarbage,
}

impl Disk {
    /// With all that is in a directory, on disk.
    pub fn of(root: &Path) -> Self {
        let (names, pending) = (BTreeMap::new(), Vec::new());
        let mut disk = Self { root: root.to_owned(), files: Vec::new(), names_on_disk: names.clone(), names, pending };
        disk.load(root);
        disk.names_on_disk = disk.names.clone();
        disk
    }

    fn load(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.load(&path);
            } else {
                let content = fs::read(&path).unwrap();
                self.names.insert(path, self.files.len());
                self.files.push(File { on_disk: content.clone(), content });
            }
        }
    }

    pub fn apply(&mut self, call: &Call) {
        let file = self.names.get(&call.path).copied();
        match (call.what.as_str(), file) {
            ("create", None) => {
                self.change(None, Some((call.path.clone(), self.files.len())));
                self.files.push(File { content: Vec::new(), on_disk: Vec::new() });
            }
            ("write", Some(file)) => {
                let (content, end) = (&mut self.files[file].content, call.at + call.bytes.len());
                content.resize(content.len().max(end), 0);
                content[call.at..end].copy_from_slice(&call.bytes);
            }
            ("resize", Some(file)) => self.files[file].content.resize(call.at, 0),
            ("rename", Some(file)) => self.change(Some(call.path.clone()), Some((call.to.clone(), file))),
            ("remove", Some(_)) => self.change(Some(call.path.clone()), None),
            ("sync", Some(file)) => self.files[file].on_disk = self.files[file].content.clone(),
            ("sync", None) => self.sync_directory(&call.path),
            // The directories of a rehearsal, which nobody looks for after a power cut.
            ("mkdir" | "remove", None) | ("mode", Some(_)) => {}
            other => panic!("no model of {other:?} of {call:?}"),
        }
    }

    fn change(&mut self, removed: Option<PathBuf>, added: Option<(PathBuf, usize)>) {
        let change = Change { removed, added };
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn sync_directory(&mut self, directory: &Path) {
        let (synced, pending) = self.pending.drain(..).partition(|change| change.is_in(directory));
        self.pending = pending;
        let synced: Vec<Change> = synced;
        synced.iter().for_each(|change| change.apply(&mut self.names_on_disk));
    }

    /// What may be found when the power is back: of the changes of names, as many of the first as one likes, all but
    /// one, or one alone; of the content, all, nothing, or the length with garbage in it.
    pub fn after_a_power_cut(&self) -> Vec<(String, Files)> {
        let count = self.pending.len();
        let first = (0..=count).map(|some| (0..count).map(|at| at < some).collect::<Vec<_>>());
        let without = (0..count).map(|one| (0..count).map(|at| at != one).collect());
        let alone = (0..count).map(|one| (0..count).map(|at| at == one).collect());
        let mut states = Vec::new();
        for kept in first.chain(without).chain(alone) {
            for data in [Data::There, Data::Lost, Data::HalfGarbage] {
                let how = format!("data {data:?}, names {kept:?}");
                states.push((how, self.state(&kept, data)));
            }
        }
        states
    }

    fn state(&self, kept: &[bool], data: Data) -> Files {
        let mut names = self.names_on_disk.clone();
        self.pending.iter().zip(kept).filter(|(_, kept)| **kept).for_each(|(change, _)| change.apply(&mut names));
        let content = |file: &File| match data {
            Data::There => file.content.clone(),
            Data::Lost => file.on_disk.clone(),
            Data::HalfGarbage if file.content == file.on_disk => file.content.clone(),
            Data::HalfGarbage => {
                let mut content = file.content.clone();
                let half = content.len() / 2;
                content[half..].fill(0xa5);
                content
            }
        };
        let below = |name: &Path| name.strip_prefix(&self.root).unwrap().to_owned();
        names.iter().map(|(name, file)| (below(name), content(&self.files[*file]))).collect()
    }
}
