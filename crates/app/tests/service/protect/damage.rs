//! A journal that is cut, flipped, missing or followed by garbage.

use std::fs;
use std::path::PathBuf;

use backup::Manifest;

use super::volumes::{Volumes, add, cut, down_from, flip, length, state};
use crate::harness::fails;

/// Three files with two messages each, and the restore point of before the first.
async fn three_files() -> (Volumes, Manifest, Vec<PathBuf>) {
    let volumes = Volumes::new();
    for _ in 0..3 {
        let app = volumes.start();
        add(&app, 2).await;
        app.kill();
        volumes.lose_and_restore();
    }
    let (first, files) = (volumes.repository().manifests().unwrap()[0].clone(), volumes.journal());
    assert_eq!(files.len(), 3);
    (volumes, first, files)
}

/// Restores the first restore point and expects the service not to start; gives what it says.
#[track_caller]
fn refused(volumes: &Volumes, point: &Manifest) -> String {
    volumes.lose();
    volumes.restore_named(point);
    let (code, stderr) = fails(volumes.command());
    assert_eq!(code, Some(1), "{stderr}");
    let says_how = stderr.contains("--until") || stderr.contains("move it out of its directory");
    assert!(says_how, "it must say how to go on without: {stderr}");
    stderr
}

#[tokio::test]
async fn a_missing_file_in_the_middle_is_never_jumped_over() {
    let (volumes, point, files) = three_files().await;
    fs::remove_file(&files[1]).unwrap();
    let stderr = refused(&volumes, &point);
    assert!(
        stderr.contains("groups 4 to 6 are lost") && stderr.contains("0000000001.journal ends too early"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_file_in_the_middle_that_was_cut_is_never_jumped_over() {
    for part in 0..4 {
        let (volumes, point, files) = three_files().await;
        cut(&files[1], length(&files[1]) * part / 4);
        let stderr = refused(&volumes, &point);
        assert!(stderr.contains("to 6 are lost"), "{part}: {stderr}");
    }
}

#[tokio::test]
async fn a_flipped_byte_in_the_middle_is_found_wherever_it_is() {
    let (volumes, point, files) = three_files().await;
    for file in [&files[0], &files[1]] {
        let bytes = fs::read(file).unwrap();
        for part in 0..7 {
            flip(file, length(file) * part / 7);
            let stderr = refused(&volumes, &point);
            assert!(stderr.contains("is damaged") || stderr.contains("ends too early"), "{part}: {stderr}");
            fs::write(file, &bytes).unwrap();
        }
    }
    volumes.lose();
    volumes.restore_named(&point);
    assert_eq!(volumes.start().ids().await, down_from(6));
}

#[tokio::test]
async fn what_comes_before_the_damage_can_be_had() {
    let (volumes, point, files) = three_files().await;
    // Into the last group of the second file.
    flip(&files[1], length(&files[1]) - 5);
    let stderr = refused(&volumes, &point);
    let time = stderr.split("the last good group before them is of ").nth(1).unwrap();
    let time = time.split_whitespace().next().unwrap();
    let app = volumes.start_with(&["--until", time]);
    assert_eq!(app.ids().await, down_from(3));
    assert_eq!(add(&app, 1).await, [4]);
    app.kill();
    volumes.lose();
    volumes.restore_named(&point);
    assert_eq!(volumes.start().ids().await, down_from(4));
}

#[tokio::test]
async fn a_damaged_group_in_the_newest_file_is_not_taken_for_a_torn_one() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 4).await;
    app.kill();
    let (file, point) = (volumes.newest_file(), volumes.repository().manifests().unwrap()[0].clone());
    // The third group from the end.
    flip(&file, length(&file) - 200);
    assert!(refused(&volumes, &point).contains("is damaged"));
}

/// As a power cut leaves it: what was not fsynced is there in part, or something else is.
#[tokio::test]
async fn a_torn_group_at_the_end_is_cut_away_and_written_over() {
    let whole = Volumes::new();
    let app = whole.start();
    add(&app, 3).await;
    let before = length(&whole.newest_file());
    add(&app, 1).await;
    app.kill();
    let bytes = fs::read(whole.newest_file()).unwrap();
    let group = bytes.len() as u64 - before;
    for cut_at in (0..group).step_by(7) {
        for garbage in [&b""[..], b"\0\0\0\0\0\0\0\0", b"garbage that is longer than a length and a checksum"] {
            let file = whole.newest_file();
            let kept = usize::try_from(before + cut_at).unwrap();
            fs::write(&file, [&bytes[..kept], garbage].concat()).unwrap();
            whole.lose();
            whole.restore_named(&whole.repository().manifests().unwrap()[0]);
            let app = whole.start();
            assert_eq!(app.ids().await, down_from(3), "cut at {cut_at}");
            assert_eq!(add(&app, 1).await, [4]);
            app.kill();
            // The torn file, and the next one that goes on after the third message.
            for newer in &whole.journal()[1..] {
                fs::remove_file(newer).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_torn_group_in_the_journal_of_a_database_that_survived_is_written_over() {
    let volumes = Volumes::new();
    for round in 1..4 {
        let app = volumes.start();
        add(&app, 1).await;
        app.kill();
        let mut bytes = fs::read(volumes.newest_file()).unwrap();
        bytes.extend(b"\x50\0\0\0 half a group");
        fs::write(volumes.newest_file(), bytes).unwrap();
        let app = volumes.start();
        assert_eq!(app.ids().await, down_from(round));
        app.kill();
    }
    assert_eq!(volumes.journal().len(), 1);
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, down_from(3));
}

/// A power cut on the other volume: the database lost what was not fsynced, and for good measure much of what was.
#[tokio::test]
async fn what_the_database_lost_with_its_wal_is_brought_back_by_the_journal() {
    for kept in [0, 1, 2, 3, 4] {
        let volumes = Volumes::new();
        volumes.start().stop();
        let app = volumes.start();
        add(&app, 5).await;
        app.kill();
        let wal = volumes.data().join("app.db-wal");
        cut(&wal, length(&wal) * kept / 4);
        let app = volumes.start();
        assert_eq!((app.ids().await, state(&app).await.as_str()), (down_from(5), "protected"), "{kept}");
        assert_eq!(add(&app, 1).await, [6]);
        app.kill();
        volumes.lose_and_restore();
        assert_eq!(volumes.start().ids().await, down_from(6));
    }
}

/// The database is the high-water mark of its journal.
#[tokio::test]
async fn a_journal_that_lost_its_end_is_noticed_and_replaced_by_a_fresh_restore_point() {
    for removed in ["last file", "last group", "everything"] {
        let volumes = Volumes::new();
        let app = volumes.start();
        add(&app, 3).await;
        app.kill();
        match removed {
            "last file" => fs::remove_file(volumes.newest_file()).unwrap(),
            "last group" => cut(&volumes.newest_file(), length(&volumes.newest_file()) - 5),
            _ => fs::remove_dir_all(volumes.backup().join("journal")).unwrap(),
        }
        let app = volumes.start();
        assert_eq!((app.ids().await, state(&app).await.as_str()), (down_from(3), "protected"), "{removed}");
        assert!(app.stderr().contains("starting a new journal"), "{}", app.stderr());
        assert_eq!(volumes.repository().manifests().unwrap().len(), 2, "{removed}");
        add(&app, 1).await;
        app.kill();
        volumes.lose_and_restore();
        assert_eq!(volumes.start().ids().await, down_from(4), "{removed}");
    }
}

#[tokio::test]
async fn a_journal_that_ends_before_the_restore_point_is_an_error() {
    for removed in ["last file", "everything"] {
        let volumes = Volumes::new();
        let app = volumes.start();
        add(&app, 3).await;
        volumes.take();
        app.kill();
        match removed {
            "last file" => fs::remove_file(volumes.newest_file()).unwrap(),
            _ => fs::remove_dir_all(volumes.backup().join("journal")).unwrap(),
        }
        volumes.lose_and_restore();
        let (code, stderr) = fails(volumes.command());
        assert!(code == Some(1) && stderr.contains("the journal ends before it"), "{stderr}");
        let app = volumes.start_with(&["--until", "2100-01-01T00:00:00Z"]);
        assert_eq!((app.ids().await, state(&app).await.as_str()), (down_from(3), "protected"), "{removed}");
    }
}

#[tokio::test]
async fn a_journal_of_a_newer_program_is_not_guessed_at() {
    let volumes = Volumes::new();
    volumes.start().stop();
    let payload = br#"{"format":2}"#;
    let mut header = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    header.extend(&blake3::hash(payload).as_bytes()[..16]);
    header.extend(payload);
    fs::write(volumes.newest_file(), header).unwrap();
    let (code, stderr) = fails(volumes.command());
    assert!(code == Some(1) && stderr.contains("its format is 2, but this program reads 1"), "{stderr}");
}
