//! The service and its backups, to browse.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Place, Running, assert_exit};

#[test]
fn what_is_stored_is_there_the_next_time() {
    let place = Place::new();
    for _ in 0..2 {
        let mut up = Running::start(place.drill(&["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"]));
        up.wait_for("restore point app-");
        kill(Pid::from_raw(up.pid()), Signal::SIGINT).unwrap();
        assert_eq!(up.end(), Some(0));
        assert!(place.path().join("local/pra-data/app.db").is_file());
        assert_eq!(place.processes_below("local"), Vec::<String>::new());
    }
}

#[test]
fn a_lost_database_makes_a_restore_point_suspect_and_not_a_backup_that_failed() {
    let place = Place::new();
    let arguments = ["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"];
    for (volume_is_lost, expected) in [(false, "restore point app-"), (true, "it is suspect, other-lineage: ")] {
        if volume_is_lost {
            std::fs::remove_dir_all(place.path().join("local/pra-data")).unwrap();
        }
        let mut up = Running::start(place.drill(&arguments));
        up.wait_for(expected);
        kill(Pid::from_raw(up.pid()), Signal::SIGINT).unwrap();
        assert_eq!(up.end(), Some(0));
    }
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
