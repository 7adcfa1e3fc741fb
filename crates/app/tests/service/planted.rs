//! What others leave in the repository or behind the path of the database: the service answers all the same, in little memory.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use crate::harness::{Place, command, fails, until};
use crate::status::{start, take};

/// The most memory that the service has had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_pipe_or_a_link_in_the_repository_holds_nothing_up() {
    let place = Place::new();
    let app = start(&place);
    app.add("x").await.id();
    let taken = take(&place, &place);
    let repository = place.path().join("backup");
    let foreign = repository.join("app-20300101T000000.000Z.json");
    for file in [&repository.join("rehearsals.json"), &foreign] {
        mkfifo(file, Mode::S_IRWXU).unwrap();
        for path in ["/status", "/metrics", "/health"] {
            assert_eq!(app.get(path).await.status, 200, "{path} with {}", file.display());
        }
        fs::remove_file(file).unwrap();
        symlink("/dev/zero", file).unwrap();
        assert_eq!(app.get("/status").await.status, 200, "{}", file.display());
        fs::remove_file(file).unwrap();
    }
    assert_eq!(app.get("/status").await.json()["last_backup_file"], taken);
}

#[tokio::test]
async fn large_manifests_are_not_kept_in_memory_however_many_there_are() {
    let place = Place::new();
    let app = start(&place);
    app.add("x").await.id();
    let taken = take(&place, &place);
    let repository = place.path().join("backup");
    let text = fs::read_to_string(repository.join(taken.replace(".db", ".json"))).unwrap();
    // One that is refused by its size, and many that are as large as they may be.
    File::create(repository.join("app-20300101T000000.000Z.json")).unwrap().set_len(1 << 30).unwrap();
    let marks: String = (0..200_000).map(|number| format!("\"table{number:06}\": 1, ")).collect();
    let name = taken.trim_end_matches(".db");
    for minute in 10..16 {
        let other = format!("app-20200101T00{minute}00.000Z");
        let text = text.replace(name, &other).replace("manifest_blake3", "was");
        let text = text.replace("\"high_water\": {", &format!("\"high_water\": {{{marks}"));
        assert!(text.len() > 3 << 20 && text.contains("table199999"), "{} bytes", text.len());
        fs::write(repository.join(format!("{other}.json")), text).unwrap();
        fs::copy(repository.join(&taken), repository.join(format!("{other}.db"))).unwrap();
    }
    // A busy machine does not read them within the time that a look may take.
    until(async || match app.get("/status").await.json() {
        status if status["last_backup_file"].is_string() => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    let peak = peak_kib(app.pid());
    assert!(peak < 128 << 10, "{peak} KiB");
}

#[test]
fn a_link_of_somebody_else_to_a_database_of_root_is_not_served() {
    if !geteuid().is_root() {
        eprintln!("skipped: it takes root to make links of other users");
        return;
    }
    let place = Place::new();
    place.start().stop();
    let link = place.path().join("link.db");
    symlink(place.database(), &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(23_454), None).unwrap();
    let (code, stderr) = fails(command(&link));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("belongs to user 23454"), "{stderr}");
}
