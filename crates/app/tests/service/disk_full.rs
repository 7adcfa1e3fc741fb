//! A disk that takes no more: nothing is acknowledged, nothing that was acknowledged is lost.

use std::fs;
use std::process::Command;

use crate::harness::{App, Place, until};

/// Adds until a write is refused; gives the number of those that were acknowledged.
async fn fill(app: &App) -> usize {
    let message = "x".repeat(4000);
    for acknowledged in 0..1000 {
        let answer = app.add(&message).await;
        if answer.status != 200 {
            assert_eq!(answer.status, 503);
            assert!(answer.json()["outcome"].is_string(), "{}", answer.text);
            assert!(answer.json()["error"].as_str().unwrap().contains("cannot write"), "{}", answer.text);
            return acknowledged;
        }
    }
    panic!("the disk never filled");
}

async fn refuses_and_recovers(app: &App, make_room: impl FnOnce()) {
    let acknowledged = fill(app).await;
    assert!(acknowledged > 0);
    // A health check is smaller than a message: a few may still find room.
    let health = until(async || match app.get("/health").await {
        health if health.status == 503 => Ok(health),
        health => Err(health.text),
    })
    .await;
    assert_eq!(health.json()["status"], "unavailable");
    assert_eq!(app.get("/live").await.status, 200, "a restart frees no space");
    assert_eq!(app.ids().await.len(), acknowledged, "what was acknowledged can still be read");

    make_room();
    until(async || match app.get("/health").await {
        health if health.status == 200 => Ok(()),
        health => Err(health.text),
    })
    .await;
    app.add("room").await.id();
    assert_eq!(app.count().await, i64::try_from(acknowledged).unwrap() + 1);
}

#[tokio::test]
async fn a_file_that_may_not_grow_is_told_and_recovered_from() {
    let place = Place::new();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -f 400; exec \"$0\" \"$@\""]);
    let command = place.command();
    limited.arg(command.get_program()).args(command.get_args()).env("LISTEN", "127.0.0.1:0");
    let app = App::start(limited);
    refuses_and_recovers(&app, || {
        let mut raise = Command::new("prlimit");
        assert!(raise.args(["--fsize=unlimited", "--pid", &app.pid().to_string()]).status().unwrap().success());
    })
    .await;
}

/// A file system of its own, where this user may mount one.
struct SmallDisk {
    place: Place,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let place = Place::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(place.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self { place })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg("--lazy").arg(self.place.path()).status().unwrap().success());
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_recovered_from() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not tested: this user may not mount a file system");
        return;
    };
    let ballast = disk.place.path().join("ballast");
    fs::write(&ballast, vec![0; 256 * 1024]).unwrap();
    let app = disk.place.start();
    refuses_and_recovers(&app, || fs::remove_file(&ballast).unwrap()).await;
}
