//! Databases on mounts: of a volume that is read-only, and of the file alone. It takes a right to mount.

use std::fs::{self, File};
use std::process::Command;

use crate::stage::{Ended, PROGRAM, Stage, beside, ended, ids, insert, up_to};

/// Runs the program where the script has mounted something. `None`, said aloud, where nothing can be mounted.
fn run_with_mount(stage: &Stage, mount: &str, arguments: &[&str]) -> Option<Ended> {
    let mut probe = Command::new("unshare");
    if !probe.args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user cannot mount anything");
        return None;
    }
    let mut command = stage.std_command(&[]);
    let script = format!("set -e; {mount}; exec \"$@\"");
    let environment = command.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()));
    let environment: Vec<_> = environment.collect();
    command = Command::new("unshare");
    command.envs(environment).current_dir(stage.directory.path());
    command.args(["-m", "sh", "-c", &script, "sh", PROGRAM]).args(arguments);
    Some(ended(command))
}

#[test]
fn a_database_on_a_read_only_volume_is_taken_with_all_that_was_committed() {
    for crashed in [false, true] {
        let (stage, connection) = Stage::with_rows(3);
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        insert(&connection, 2);
        let data = stage.path("data");
        fs::create_dir(&data).unwrap();
        if !crashed {
            connection.close().unwrap();
            fs::copy(&stage.database, data.join("app.db")).unwrap();
        } else {
            for suffix in ["", "-wal"] {
                fs::copy(beside(&stage.database, suffix), beside(&data.join("app.db"), suffix)).unwrap();
            }
            drop(connection);
        }
        let read_only = "mount --bind data data; mount -o remount,ro,bind data; ! touch data/x 2>/dev/null";
        let Some(taken) = run_with_mount(&stage, read_only, &["take", "--database", "data/app.db"]) else { return };
        taken.expect(0);
        stage.lose_database();
        stage.restore(&[]);
        assert_eq!(ids(&stage.database), up_to(5), "crashed: {crashed}");
        assert_eq!(stage.files().len(), 2, "nothing of the copy stays: {:?}", stage.files());
    }
}

/// As the container mounts it that fetches what is missing, before the service starts.
#[test]
fn a_database_on_a_read_only_volume_is_not_missing() {
    for crashed in [false, true] {
        let (stage, connection) = Stage::with_rows(3);
        stage.take();
        fs::create_dir(stage.path("data")).unwrap();
        let copied =
            |suffix: &str| fs::copy(beside(&stage.database, suffix), beside(&stage.path("data/app.db"), suffix));
        if crashed {
            insert(&connection, 2);
            for suffix in ["", "-wal", "-shm"] {
                copied(suffix).unwrap();
            }
        } else {
            connection.close().unwrap();
            copied("").unwrap();
        }
        let read_only = "mount --bind data data; mount -o remount,ro,bind data; ! touch data/x 2>/dev/null";
        let remote = format!("file://{}", stage.path("nowhere").display());
        let pull = ["pull", "--if-missing", "--remote", &remote, "--database", "data/app.db"];
        for arguments in [&pull[..], &["restore", "--if-missing", "--database", "data/app.db"]] {
            let Some(looked) = run_with_mount(&stage, read_only, arguments) else { return };
            looked.expect(0);
        }
    }
}

#[test]
fn a_database_that_is_a_mount_of_its_own_is_restored_and_a_safety_copy_kept() {
    let (stage, connection) = Stage::with_rows(3);
    stage.take();
    insert(&connection, 4000);
    drop(connection);
    File::create(stage.path("mounted.db")).unwrap();
    let arguments = ["restore", "--force", "--database", "mounted.db"];
    let Some(restored) = run_with_mount(&stage, "mount --bind app.db mounted.db", &arguments) else { return };
    restored.expect(0).says("is a mount point");
    assert_eq!(ids(&stage.database), up_to(3));
    let names = fs::read_dir(stage.directory.path()).unwrap().map(|file| file.unwrap().path());
    let [kept] = &names.filter(|path| path.to_str().unwrap().contains("mounted.db.")).collect::<Vec<_>>()[..] else {
        panic!("one safety copy expected, and no temporary file")
    };
    assert_eq!(ids(kept), up_to(4003));
}

#[test]
fn a_live_database_whose_wal_file_is_elsewhere_is_refused() {
    let (stage, _connection) = Stage::with_rows(3);
    stage.take();
    let mounted = stage.path("mounted");
    fs::create_dir(&mounted).unwrap();
    File::create(mounted.join("app.db")).unwrap();
    for command in [&["take"][..], &["restore", "--into-live"], &["restore", "--force"]] {
        let arguments = [command, &["--database", "mounted/app.db"]].concat();
        let mount = "mount --bind app.db mounted/app.db";
        let Some(refused) = run_with_mount(&stage, mount, &arguments) else { return };
        assert!([1, 4].contains(&refused.code), "{command:?}: {} {}", refused.code, refused.stderr);
        assert!(refused.stderr.contains("in use"), "{command:?}: {}", refused.stderr);
        assert_eq!(fs::read_dir(&mounted).unwrap().count(), 1, "{command:?} left something");
    }
}
