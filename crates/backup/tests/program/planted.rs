//! What others leave in directories that root works in: links, pipes and second names. Nothing of root's may be changed, sent
//! or shown, and nothing may hang. It takes root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use crate::stage::{Ended, Stage, beside, edit, ids, up_to};

/// The user of a service, who owns its data and its repository, and means harm.
const HOSTILE: u32 = 23_454;

const SECRET: &str = "root:hash\n";

struct Place {
    stage: Stage,
    /// A directory of root's, and a file in it.
    roots: PathBuf,
    secret: PathBuf,
}

impl Place {
    /// `None`, said aloud, for whoever cannot become other users.
    fn new() -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("skipped: it takes root to work in a directory of somebody else");
            return None;
        }
        let (mut stage, connection) = Stage::with_rows(3);
        drop(connection);
        let data = stage.path("data");
        fs::create_dir(&data).unwrap();
        fs::rename(&stage.database, data.join("app.db")).unwrap();
        stage.database = data.join("app.db");
        stage.take();
        let roots = stage.path("roots");
        fs::create_dir(&roots).unwrap();
        let secret = roots.join("shadow");
        fs::write(&secret, SECRET).unwrap();
        for (path, mode) in [(&roots, 0o700), (&secret, 0o600)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let place = Self { stage, roots, secret };
        place.give(place.stage.database.parent().unwrap());
        place.give(place.stage.repository.path());
        Some(place)
    }

    /// Gives a directory with all that is in it to the hostile user.
    fn give(&self, directory: &Path) {
        give(directory);
        fs::read_dir(directory).unwrap().for_each(|file| give(&file.unwrap().path()));
    }

    fn name(&self) -> backup::Name {
        self.stage.repository.manifests().unwrap().remove(0).name
    }

    #[track_caller]
    fn expect_untouched(&self, what: &str) {
        let names: Vec<_> = fs::read_dir(&self.roots).unwrap().map(|file| file.unwrap().file_name()).collect();
        let metadata = fs::metadata(&self.secret).unwrap();
        let found = (fs::read_to_string(&self.secret).unwrap(), metadata.uid(), metadata.mode() & 0o777, names);
        assert_eq!(found, (SECRET.to_owned(), 0, 0o600, vec!["shadow".into()]), "{what}");
    }
}

fn give(path: &Path) {
    chown(path, Some(HOSTILE), Some(HOSTILE)).unwrap();
}

/// Puts a link of the hostile user in the place of what is there.
fn plant(target: &Path, at: &Path) {
    if fs::symlink_metadata(at).is_ok() {
        fs::remove_file(at).unwrap();
    }
    symlink(target, at).unwrap();
    std::os::unix::fs::lchown(at, Some(HOSTILE), Some(HOSTILE)).unwrap();
}

fn plant_pipe(at: &Path) {
    if fs::symlink_metadata(at).is_ok() {
        fs::remove_file(at).unwrap();
    }
    mkfifo(at, Mode::S_IRWXU).unwrap();
    give(at);
}

/// Every name at which this program puts a file, or SQLite does, with a command that comes to it.
fn names(place: &Place) -> Vec<(PathBuf, Vec<&'static str>)> {
    let (repository, database, name) = (place.stage.repository.path(), &place.stage.database, place.name());
    let in_repository = |file: &str| repository.join(file);
    let take = || vec!["take", "--copy-unchanged"];
    let record = || vec!["verify", "--deep", "--record"];
    vec![
        (in_repository(".lock"), take()),
        (in_repository("rehearsals.json"), record()),
        (in_repository("rehearsals.json.partial"), record()),
        (in_repository("restores.json"), vec!["restore", "--force"]),
        (in_repository("restores.json.partial"), vec!["restore", "--force"]),
        (in_repository(&format!("{name}.json.partial")), vec!["take"]),
        (in_repository(&format!("{name}.db.partial")), take()),
        (in_repository(".reading-planted"), take()),
        (place.stage.repository.manifest(&name), take()),
        (place.stage.repository.database(&name), vec!["verify", "--all"]),
        (beside(database, ".restoring"), vec!["restore", "--force"]),
        (beside(database, ".restoring"), vec!["restore", "--into-live"]),
        (beside(database, ".restoring-journal"), vec!["restore", "--into-live"]),
        (beside(database, ".saving"), vec!["restore", "--into-live"]),
        (beside(database, "-wal"), take()),
        (beside(database, "-shm"), take()),
        (beside(database, "-journal"), take()),
        (beside(database, "-wal"), vec!["restore", "--force"]),
        (database.clone(), vec!["take"]),
        (database.clone(), vec!["restore", "--force"]),
        (database.clone(), vec!["restore", "--into-live"]),
    ]
}

#[test]
fn no_link_that_others_left_leads_root_to_a_file_of_roots() {
    let Some(count) = Place::new().map(|place| names(&place).len()) else { return };
    for index in 0..count {
        for target in ["shadow", "missing"] {
            let place = Place::new().unwrap();
            let (at, command) = names(&place).remove(index);
            plant(&place.roots.join(target), &at);
            let ended = place.stage.run(&command);
            place.expect_untouched(&format!("{} -> {target}, {command:?}: {}", at.display(), ended.stderr));
            assert!(!fs::read_dir(place.stage.database.parent().unwrap()).unwrap().any(|file| {
                let path = file.unwrap().path();
                fs::metadata(&path).is_ok_and(|file| file.is_file() && file.uid() == HOSTILE)
                    && fs::read(&path).unwrap() == SECRET.as_bytes()
            }));
        }
    }
}

#[test]
fn a_pipe_in_the_place_of_any_file_holds_nothing_up() {
    let Some(count) = Place::new().map(|place| names(&place).len()) else { return };
    for index in 0..count {
        let place = Place::new().unwrap();
        let (at, command) = names(&place).remove(index);
        plant_pipe(&at);
        // A run that hangs fails by itself.
        let _ = place.stage.run(&command);
        let _ = place.stage.run(&["list"]);
    }
}

#[test]
fn what_a_restore_finds_in_its_way_is_replaced_and_the_owner_stays() {
    type Plant = fn(&Place, &Path);
    let ways: [Plant; 3] = [
        |place, at| plant(&place.secret, at),
        |_, at| plant_pipe(at),
        |_, at| {
            fs::write(at, "of the hostile user").unwrap();
            give(at);
        },
    ];
    for way in ways {
        let Some(place) = Place::new() else { return };
        way(&place, &beside(&place.stage.database, ".restoring"));
        place.stage.restore(&["--force"]);
        assert_eq!(ids(&place.stage.database), up_to(3));
        assert_eq!(fs::symlink_metadata(&place.stage.database).unwrap().uid(), HOSTILE);
        place.expect_untouched("restore --force");
    }
}

/// What is open to write before a restore must not be the database after it.
#[test]
fn a_restore_writes_into_no_file_that_another_user_has_open() {
    let Some(place) = Place::new() else { return };
    let temporary = beside(&place.stage.database, ".restoring");
    let kept = fs::File::create_new(&temporary).unwrap();
    give(&temporary);
    place.stage.restore(&["--force"]);
    let inode = fs::metadata(&place.stage.database).unwrap().ino();
    assert_ne!(inode, kept.metadata().unwrap().ino());
    assert_eq!(kept.metadata().unwrap().len(), 0);
}

#[test]
fn a_lock_that_is_none_says_what_to_do() {
    for (plant, says) in [
        (|at: &Path| symlink("/nowhere", at).unwrap(), "a symbolic link"),
        (|at: &Path| mkfifo(at, Mode::S_IRWXU).unwrap(), "a pipe"),
        (|at: &Path| fs::create_dir(at).unwrap(), "a directory"),
    ] as [(fn(&Path), &str); 3]
    {
        let (stage, _connection) = Stage::with_rows(1);
        plant(&stage.repository.path().join(".lock"));
        stage.run(&["take"]).expect(1).says(".lock").says(says).says("move it away");
    }
}

#[test]
fn a_push_sends_what_is_in_the_repository_and_nothing_else() {
    let Some(place) = Place::new() else { return };
    let (name, nas) = (place.name(), place.stage.path("nas"));
    fs::create_dir(&nas).unwrap();
    let remote = format!("file://{}", nas.display());
    let manifest = place.stage.repository.manifests().unwrap().remove(0);
    let size = format!("\"size_bytes\": {}", manifest.size_bytes);
    edit(&place.stage.repository, &name, &size, &format!("\"size_bytes\": {}", SECRET.len()));
    plant(&place.secret, &place.stage.repository.database(&name));
    place.stage.run(&["push", "--remote", &remote]).expect(3).says("a symbolic link");
    assert_eq!(fs::read_dir(&nas).unwrap().count(), 0, "nothing is sent");
}

#[test]
fn a_push_writes_into_no_directory_that_a_link_leads_to() {
    let Some(place) = Place::new() else { return };
    let nas = place.stage.path("nas");
    fs::create_dir(&nas).unwrap();
    let remote = format!("file://{}", nas.display());
    place.stage.run(&["push", "--remote", &remote]).expect(0);
    let folder = fs::read_dir(&nas).unwrap().map(|file| file.unwrap().path()).find(|path| path.is_dir()).unwrap();
    fs::remove_dir_all(&nas).unwrap();
    fs::create_dir(&nas).unwrap();
    give(&nas);
    plant(&place.roots, &folder);
    place.stage.run(&["push", "--remote", &remote]).expect(8).says("not following the symbolic link");
    place.expect_untouched("push");
    // Nor does a pipe in the place of the manifest hold it up.
    fs::remove_file(&folder).unwrap();
    plant_pipe(&nas.join(place.name().manifest_file()));
    place.stage.run(&["push", "--remote", &remote]).expect(8).says("a pipe").says("move it away");
}

#[test]
fn a_link_of_root_or_to_the_same_owner_is_followed() {
    let Some(place) = Place::new() else { return };
    let database = place.stage.database.clone();
    let other = place.stage.path("data/other.db");
    fs::rename(&database, &other).unwrap();
    plant(&other, &database);
    place.stage.run(&["take"]).expect(0);
    place.stage.restore(&["--force"]);
    assert!(database.is_symlink());
    // A directory of the user's choice, behind a link of root's.
    let link = place.stage.path("link");
    symlink(place.stage.repository.path(), &link).unwrap();
    place.stage.run(&["take", "--repository", link.to_str().unwrap()]).expect(0);
    // And one behind a link of somebody who may not decide.
    std::os::unix::fs::lchown(&link, Some(HOSTILE + 1), None).unwrap();
    let refused: Ended = place.stage.run(&["take", "--repository", link.to_str().unwrap()]).expect(1);
    refused.says("belongs to user 23455").says("not following the symbolic link");
}

#[test]
fn root_is_led_nowhere_by_a_second_name() {
    let Some(place) = Place::new() else { return };
    let stored = place.stage.repository.database(&place.name());
    fs::remove_file(&stored).unwrap();
    fs::hard_link(&place.secret, &stored).unwrap();
    let verified = place.stage.run(&["verify", "--all"]).expect(3);
    assert!(verified.stdout.contains("hard links"), "{}", verified.stdout);
    let lock = place.stage.repository.path().join(".lock");
    fs::remove_file(&lock).unwrap();
    fs::hard_link(&place.secret, &lock).unwrap();
    place.stage.run(&["take"]).expect(1).says("hard links").says("replace it with a copy");
    fs::remove_file(lock).unwrap();
    fs::remove_file(stored).unwrap();
    place.expect_untouched("hard links");
}

/// SQLite removes the file that such a journal names once it is rolled back.
#[test]
fn root_rolls_back_no_journal_that_names_another_file() {
    let Some(place) = Place::new() else { return };
    let journal = beside(&place.stage.database, "-journal");
    let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    fs::write(&journal, [&[0; 512][..], place.secret.as_os_str().as_encoded_bytes(), &magic].concat()).unwrap();
    give(&journal);
    for command in [&["take"][..], &["restore", "--into-live"], &["restore", "--if-missing"]] {
        place.stage.run(command).expect(1).says("names another file").says("as its owner");
    }
    place.expect_untouched("-journal");
}
