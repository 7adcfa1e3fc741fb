//! Several processes at one repository at once, as two nodes that mount one volume see it: each by a path of its own.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use backup::verify::{self, Check};
use jiff::Timestamp;
use rusqlite::Connection;

use crate::stage::{PROGRAM, Stage, ids, insert, output, up_to};

const ROUNDS: u32 = 5;

/// The program in a name space in which the repository is mounted a second time, where that is allowed.
fn on_another_node(stage: &Stage, mounted: &Path, arguments: &[&str]) -> Command {
    let script = "mount --bind \"$1\" \"$2\" && export BACKUP_DIR=\"$2\" && shift 2 && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, PROGRAM]).args([stage.repository.path(), mounted]).args(arguments);
    command.env("DB_PATH", &stage.database);
    command
}

fn by_a_link(stage: &Stage, link: &Path, arguments: &[&str]) -> Command {
    let mut command = stage.std_command(arguments);
    command.env("BACKUP_DIR", link);
    command
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn takes_confirmations_and_prunes_of_two_nodes_at_once_wait_for_each_other() {
    let (stage, connection) = Stage::with_rows(5);
    let (link, mounted) = (stage.path("link"), stage.path("mounted"));
    symlink(stage.repository.path(), &link).unwrap();
    std::fs::create_dir(&mounted).unwrap();
    let may_mount = output(on_another_node(&stage, &mounted, &["list"])).status.success();
    if !may_mount {
        eprintln!("skipped in part: a second mount of the repository is not permitted here");
    }
    let mut newest = (0, Timestamp::MIN);
    for _ in 0..ROUNDS {
        insert(&connection, 1);
        let wait = ["--wait", "60s"];
        let take = [&["take"], &wait[..]].concat();
        let copy = [&["take", "--copy-unchanged"], &wait[..]].concat();
        let prune = [&["prune", "--keep-last", "3"], &wait[..]].concat();
        let mut commands = vec![stage.std_command(&take), by_a_link(&stage, &link, &copy), stage.std_command(&prune)];
        if may_mount {
            commands.extend([&take, &prune].map(|arguments| on_another_node(&stage, &mounted, arguments)));
        }
        let running: Vec<Child> = commands.into_iter().map(start).collect();
        for mut child in running {
            assert!(child.wait().unwrap().success());
        }
        let manifests = stage.repository.manifests().unwrap();
        assert_eq!(manifests.len(), stage.repository.entries().unwrap().len(), "all are complete");
        let sequences = stage.sequences();
        assert!(sequences.is_sorted_by(|one, next| one < next), "{sequences:?}");
        let last = manifests.last().unwrap();
        assert!((last.sequence, last.current_at(Timestamp::now())) > newest, "{last:?} is not newer than {newest:?}");
        newest = (last.sequence, last.current_at(Timestamp::now()));
        for manifest in &manifests {
            verify::restore_point(&stage.repository, manifest, Some(Check::Quick)).unwrap();
        }
    }
    let copy = stage.path("copy.db");
    stage.restore(&["--database", copy.to_str().unwrap()]);
    assert_eq!(ids(&copy), up_to(5 + i64::from(ROUNDS)));
}

#[test]
fn a_lock_file_that_a_killed_process_left_is_in_nobodys_way() {
    let (stage, connection) = Stage::with_rows(5);
    let lock = stage.repository.path().join(".lock");
    let script = "exec 9>\"$1\"; flock 9; echo; exec sleep 60";
    let mut holder = Command::new("sh").args(["-c", script, "sh"]).arg(&lock).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    stage.run(&["take"]).expect(4).says("another take or prune");
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(lock.exists());
    stage.run(&["take"]).expect(0);
    drop::<Connection>(connection);
}
