//! Several users beside one database and one repository: none locks another out. Most of it takes root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use backup::Entry;
use nix::unistd::geteuid;
use rusqlite::Connection;

use crate::stage::{Ended, PROGRAM, Stage, create, ended, ids, insert, up_to};

/// The user of a service, its group, and somebody else who is in that group.
const SERVICE: u32 = 23_451;
const DATA: u32 = 23_452;
const OTHER: u32 = 23_453;

/// A database of a service in a directory of its own, and a repository.
struct Place {
    stage: Stage,
    program: PathBuf,
}

impl Place {
    /// `None`, said aloud, for whoever cannot become other users.
    fn of_a_service(rows: u32) -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("skipped: it takes root to become other users");
            return None;
        }
        let mut stage = Stage::new();
        // Others have to get to it, and to the program, which may be in somebody's home.
        set_mode(stage.directory.path(), 0o755);
        let program = stage.path("backup");
        fs::copy(PROGRAM, &program).unwrap();
        let data = stage.path("data");
        fs::create_dir(&data).unwrap();
        stage.database = data.join("app.db");
        insert(&create(&stage.database), rows);
        for path in [&data, &stage.database] {
            chown(path, Some(SERVICE), Some(DATA)).unwrap();
        }
        set_mode(&stage.database, 0o640);
        Some(Self { stage, program })
    }

    fn give_repository(&self, user: u32, group: u32, mode: u32) {
        chown(self.stage.repository.path(), Some(user), Some(group)).unwrap();
        set_mode(self.stage.repository.path(), mode);
    }

    /// Runs the program as a user who is in a group.
    fn run_as(&self, user: u32, group: u32, arguments: &[&str]) -> Ended {
        let mut command = std::process::Command::new(&self.program);
        command.args(arguments).env("DB_PATH", &self.stage.database).env("BACKUP_DIR", self.stage.repository.path());
        command.uid(user).gid(group);
        ended(command)
    }

    #[track_caller]
    fn expect_writable_by(&self, user: u32, group: u32) {
        let can = can_write(&self.stage.database, user, group);
        assert!(can, "user {user} of group {group} cannot write it: {}", describe(&self.stage.database));
    }
}

/// Whether a user may write the database, and create side files beside it or write those that there are.
fn can_write(database: &Path, user: u32, group: u32) -> bool {
    let may = |path: &Path, bits: u32| {
        let metadata = fs::metadata(path).unwrap();
        let shift = if metadata.uid() == user {
            6
        } else if metadata.gid() == group {
            3
        } else {
            0
        };
        metadata.mode() >> shift & bits == bits
    };
    let side_files = ["-wal", "-shm", "-journal"].map(|suffix| crate::stage::beside(database, suffix));
    may(database, 6)
        && may(database.parent().unwrap(), 3)
        && side_files.iter().all(|file| !file.exists() || may(file, 6))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn describe(path: &Path) -> String {
    let metadata = fs::metadata(path).unwrap();
    format!("{}:{} {:o}", metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

#[test]
fn root_restores_over_a_database_and_all_that_belongs_to_it_stays() {
    let Some(place) = Place::of_a_service(3) else { return };
    let database = &place.stage.database;
    place.stage.take();
    // `u::rw-,u:23453:rw-,g::r--,m::rw-,o::---`, as Linux writes it.
    let entry =
        |tag: u16, bits: u16, id: u32| [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat();
    let none = u32::MAX;
    let entries = [entry(1, 6, none), entry(2, 6, OTHER), entry(4, 4, none), entry(16, 6, none), entry(32, 0, none)];
    let acl = [&2u32.to_le_bytes()[..], &entries.concat()].concat();
    let attributes = [("system.posix_acl_access", &acl[..]), ("user.owner", b"the service")];
    for (name, value) in attributes {
        xattr::set(database, name, value).unwrap();
    }
    let before = describe(database);
    place.stage.restore(&["--force"]);
    assert_eq!(describe(database), before);
    for (name, value) in attributes {
        assert_eq!(xattr::get(database, name).unwrap().as_deref(), Some(value), "{name}");
    }
    assert_eq!(ids(database), up_to(3));
    place.expect_writable_by(SERVICE, DATA);
}

#[test]
fn root_restores_a_lost_database_for_those_whose_directory_it_is() {
    // The owner and the mode of the directory, and who has to be able to write what is restored there.
    for (owner, group, mode, user) in [
        (SERVICE, DATA, 0o755, SERVICE),
        (0, DATA, 0o2770, SERVICE),
        (SERVICE, DATA, 0o770, OTHER),
        (0, 0, 0o777, SERVICE),
    ] {
        let Some(place) = Place::of_a_service(3) else { return };
        place.stage.take();
        place.stage.lose_database();
        let directory = place.stage.database.parent().unwrap();
        chown(directory, Some(owner), Some(group)).unwrap();
        set_mode(directory, mode);
        place.stage.restore(&[]);
        if user == SERVICE {
            place.expect_writable_by(user, DATA);
        }
        assert_eq!(ids(&place.stage.database), up_to(3));
        assert_eq!(describe(directory).split(' ').next(), Some(format!("{owner}:{group}").as_str()));
    }
}

#[test]
fn a_take_by_root_leaves_a_repository_to_its_owner_whatever_the_umask() {
    for umask in ["022", "077"] {
        let Some(place) = Place::of_a_service(3) else { return };
        place.give_repository(SERVICE, DATA, 0o750);
        place.run_as(SERVICE, DATA, &["take"]).expect(0);
        let mut by_root = std::process::Command::new("sh");
        by_root.args(["-c", &format!("umask {umask}; exec \"$0\" take --copy-unchanged")]).arg(PROGRAM);
        by_root.env("DB_PATH", &place.stage.database).env("BACKUP_DIR", place.stage.repository.path());
        ended(by_root).expect(0);
        for file in fs::read_dir(place.stage.repository.path()).unwrap() {
            assert!(describe(&file.unwrap().path()).starts_with("23451:23452"), "umask {umask}");
        }
        place.run_as(SERVICE, DATA, &["take", "--copy-unchanged"]).expect(0);
        place.run_as(SERVICE, DATA, &["verify", "--all"]).expect(0);
        place.run_as(SERVICE, DATA, &["restore", "--force"]).expect(0);
        place.run_as(SERVICE, DATA, &["prune", "--keep-last", "1"]).expect(0);
        place.stage.run(&["take"]).expect(0);
    }
}

#[test]
fn what_another_user_may_not_read_is_neither_damaged_nor_passed_over_and_stops_no_take() {
    let Some(place) = Place::of_a_service(3) else { return };
    place.give_repository(SERVICE, DATA, 0o750);
    place.run_as(SERVICE, DATA, &["take"]).expect(0);
    let newest = place.stage.take();
    let repository = &place.stage.repository;
    for file in [repository.stored_file(&newest), repository.manifest(&newest.name)] {
        chown(&file, Some(0), Some(0)).unwrap();
        set_mode(&file, 0o600);
        let path = file.to_str().unwrap();
        for command in [&["restore", "--force"][..], &["verify", "--all"], &["restore", "--force", "--dry-run"]] {
            let ended = place.run_as(SERVICE, DATA, command);
            let words = format!("{}{}", ended.stdout, ended.stderr);
            assert!(ended.code == 1 && words.contains(path), "{command:?}: {} {words}", ended.code);
            assert!(words.contains("belongs to user 0") && !words.contains("damaged"), "{command:?}: {words}");
        }
    }
    place.run_as(SERVICE, DATA, &["take"]).expect(0);
    let entries: Vec<Entry> = place.stage.json(&["list"]);
    assert_eq!(entries.len(), 3);
}

#[test]
fn a_take_by_root_shows_nobody_what_they_could_not_read() {
    let Some(place) = Place::of_a_service(3) else { return };
    place.give_repository(SERVICE, DATA, 0o2755);
    let secret = place.stage.path("secret.db");
    insert(&create(&secret), 2);
    chown(&secret, Some(0), Some(0)).unwrap();
    set_mode(&secret, 0o640);
    place.stage.lose_database();
    symlink(&secret, &place.stage.database).unwrap();
    let taken = place.stage.take();
    let stored = place.stage.repository.stored_file(&taken);
    assert_eq!(describe(&stored), "0:0 640");
}

#[test]
fn a_take_by_another_user_leaves_nothing_beside_a_database_that_nobody_uses() {
    for (user, group, mode) in [(OTHER, DATA, 0o660), (OTHER, OTHER, 0o644), (0, 0, 0o640)] {
        let Some(place) = Place::of_a_service(3) else { return };
        place.give_repository(user, group, 0o755);
        let directory = place.stage.database.parent().unwrap();
        set_mode(directory, 0o775);
        set_mode(&place.stage.database, mode);
        place.run_as(user, group, &["take"]).expect(0);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1, "user {user}");
        // And again, to confirm it.
        place.run_as(user, group, &["take"]).expect(0);
        place.expect_writable_by(SERVICE, DATA);
    }
}

#[test]
fn what_has_to_be_recovered_is_taken_by_those_who_may_only_read_it() {
    for journal_mode in ["wal", "delete"] {
        let Some(place) = Place::of_a_service(3) else { return };
        place.give_repository(OTHER, OTHER, 0o755);
        let database = &place.stage.database;
        let crashed = place.stage.path("crashed.db");
        let connection = Connection::open(database).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = {journal_mode}; PRAGMA cache_size = 2; PRAGMA synchronous = FULL;
                 INSERT INTO message (body) VALUES ('committed'); BEGIN"
            ))
            .unwrap();
        insert(&connection, 200);
        // As a crash in the middle of the transaction leaves it, and, with WAL, without the index of the `-wal` file.
        for suffix in ["", "-wal", "-journal"] {
            let [from, to] = [database, &crashed].map(|path| crate::stage::beside(path, suffix));
            if from.exists() {
                fs::copy(&from, &to).unwrap();
                set_mode(&to, 0o644);
            }
        }
        drop(connection);
        let crashed = crashed.to_str().unwrap();
        place.run_as(OTHER, OTHER, &["take", "--database", crashed]).expect(0);
        let back = place.stage.path("back.db");
        place.stage.run(&["restore", "--database", back.to_str().unwrap()]).expect(0);
        assert_eq!(ids(&back), up_to(4), "{journal_mode}");
        let left = fs::read_dir(place.stage.directory.path()).unwrap();
        assert!(
            left.into_iter().all(|file| !file.unwrap().path().to_str().unwrap().ends_with("-shm")),
            "{journal_mode}"
        );
    }
}

#[test]
fn a_lock_can_be_held_by_those_who_may_write_the_repository_and_by_nobody_else() {
    let (stage, _connection) = Stage::with_rows(1);
    let lock = stage.repository.path().join(".lock");
    // As an older version left it.
    fs::write(&lock, "").unwrap();
    for (directory, expected) in [(0o755, 0o600), (0o775, 0o660), (0o777, 0o666), (0o700, 0o600)] {
        set_mode(&lock, 0o644);
        set_mode(stage.repository.path(), directory);
        stage.take();
        assert_eq!(fs::metadata(&lock).unwrap().mode() & 0o777, expected, "{directory:o}");
    }
}
