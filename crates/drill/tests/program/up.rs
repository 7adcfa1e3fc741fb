//! The service and its backups, to browse.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Place, Running, assert_exit};

#[test]
fn what_is_stored_is_there_the_next_time() {
    let place = Place::new();
    for _ in 0..2 {
        until_said(&place, &["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"], "restore point app-");
        assert!(place.path().join("local/pra-data/app.db").is_file());
        assert_eq!(place.processes_below("local"), Vec::<String>::new());
    }
}

#[test]
fn a_database_that_was_lost_is_restored_before_it_is_served() {
    let place = Place::new();
    let arguments = ["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"];
    until_said(&place, &arguments, "restore point app-");
    std::fs::remove_dir_all(place.path().join("local/pra-data")).unwrap();
    until_said(&place, &arguments, "the database was missing; restored app-");
    // Another lineage beside it: nobody can know which one is meant, and none of them is served as if it were.
    until_said(
        &place,
        &["up", "--dir", "other", "--listen", "127.0.0.1:0", "--backup-every", "1s"],
        "restore point app-",
    );
    for entry in std::fs::read_dir(place.path().join("other/pra-backup")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name.to_str().unwrap().starts_with("app-") {
            std::fs::copy(entry.path(), place.path().join("local/pra-backup").join(name)).unwrap();
        }
    }
    std::fs::remove_dir_all(place.path().join("local/pra-data")).unwrap();
    let output = place.drill(&arguments).output().unwrap();
    assert_exit(&output, 4);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("could not be started") && said.contains("lineages"), "{said}");
    assert!(!place.path().join("local/pra-data/app.db").exists());
}

#[test]
fn a_database_that_took_the_place_of_another_makes_a_restore_point_suspect() {
    let place = Place::new();
    let arguments = |directory| ["up", "--dir", directory, "--listen", "127.0.0.1:0", "--backup-every", "1s"];
    for directory in ["local", "other"] {
        until_said(&place, &arguments(directory), "restore point app-");
    }
    let volume = |directory: &str| place.path().join(directory).join("pra-data");
    std::fs::remove_dir_all(volume("local")).unwrap();
    std::fs::rename(volume("other"), volume("local")).unwrap();
    until_said(&place, &arguments("local"), "it is suspect, other-lineage: ");
}

/// Runs it until it says that, and stops it.
fn until_said(place: &Place, arguments: &[&str], expected: &str) {
    let mut up = Running::start(place.drill(arguments));
    up.wait_for(expected);
    kill(Pid::from_raw(up.pid()), Signal::SIGINT).unwrap();
    assert_eq!(up.end(), Some(0));
}

#[test]
fn orphans_of_a_killed_run_are_ended_by_the_next() {
    let place = Place::new();
    let arguments = ["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"];
    let mut up = Running::start(place.drill(&arguments));
    up.wait_for("restore point app-");
    kill(Pid::from_raw(up.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(up.end(), None);
    assert_eq!(place.processes_below("local").len(), 1, "no orphan: this test shows nothing");
    let mut next = Running::start(place.drill(&arguments));
    next.wait_for("ended what an earlier run left");
    next.wait_for("restore point app-");
    assert_eq!(place.processes_below("local").len(), 1);
    kill(Pid::from_raw(next.pid()), Signal::SIGTERM).unwrap();
    assert_eq!(next.end(), Some(0));
}

#[test]
fn a_port_in_use_is_said_at_once() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = place.drill(&["up", "--listen", &address]).output().unwrap();
    assert_exit(&output, 4);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Address already in use") && said.contains(&address), "{said}");
    assert_eq!(place.processes_below("local"), Vec::<String>::new());
}

#[test]
fn each_outage_restart_and_restore_is_told_with_its_time() {
    let place = Place::new();
    let mut up = Running::start(place.drill(&["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"]));
    up.wait_for("Z  the service answers at http://");
    up.wait_for("restore point app-");
    let pid = place.pid_of("local/pra-data/app.db");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    up.wait_for("Z  the service ended by SIGKILL");
    up.wait_for("Z  the service answers at http://");
    // It goes on running, and says on /live that only a restart can help.
    std::fs::remove_dir_all(place.path().join("local/pra-data")).unwrap();
    up.wait_for("since it needed a restart: ");
    up.wait_for("Z  the database was missing; restored app-");
    up.wait_for("Z  the service answers at http://");
    kill(Pid::from_raw(up.pid()), Signal::SIGINT).unwrap();
    assert_eq!(up.end(), Some(0));
}
