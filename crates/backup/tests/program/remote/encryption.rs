//! What is encrypted before it leaves: nothing of the content is there, and only who has a key gets it back.

use std::fs;

use super::round_trip::ROWS;
use super::store::Store;
use crate::stage::{Ended, Stage, ended, ids, insert, up_to};

/// Key pairs made for these tests and nothing else.
const KEYS: [(&str, &str); 2] = [
    (
        "age18u6c63j4gau93w0f80w8q27r2tccym2yyuuxkrznrw3q5xrq6c8q4fss3s",
        "AGE-SECRET-KEY-13EE3YHNKTPN9UA02AH5XUUVU0QGLQUYX88GY2PK4S2TKZ8LEWHPS8PJMDC",
    ),
    (
        "age1tcvwt5qk7d0qxzy6g027kh5p5sauhdcztje2lqtrgypqmhlelghs33z939",
        "AGE-SECRET-KEY-1P95ATQGYW2L4ME5T4PTRC7F9M685EAAMN7M9ZCMAZYW9LAKR6MRQQL5XRE",
    ),
];

/// Whom others encrypt for, and who can read that.
pub const PUBLIC: &str = KEYS[0].0;

/// The file of a secret key.
pub fn identity(stage: &Stage, key: usize) -> String {
    let path = stage.path("identity.txt");
    fs::write(&path, format!("# made for a test\n{}\n", KEYS[key].1)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn pushed(store: &Store, keys: &[usize], rows: u32) -> Stage {
    let (stage, _connection) = Stage::with_rows(rows);
    stage.take();
    let recipients: Vec<&str> = keys.iter().map(|key| KEYS[*key].0).collect();
    store.run(&stage, &["push", "--encrypt-to", &recipients.join(",")]).expect(0);
    stage
}

#[test]
fn every_recipient_gets_it_back_and_nobody_else() {
    for store in Store::each() {
        let stage = pushed(&store, &[0, 1], 5);
        store.run(&stage, &["push", "--encrypt-to", KEYS[0].0]).expect(0);
        for key in 0..2 {
            let elsewhere = Stage::new();
            store.run(&elsewhere, &["pull"]).expect(6).says("no given key decrypts it").says("--identity");
            assert_eq!(elsewhere.files(), [""; 0]);
            store.run(&elsewhere, &["pull", "--identity", &identity(&elsewhere, key)]).expect(0);
            assert_eq!(elsewhere.repository.manifests().unwrap(), stage.repository.manifests().unwrap());
            elsewhere.restore(&[]);
            assert_eq!(ids(&elsewhere.database), up_to(5));
        }
    }
    let store = Store::directory();
    pushed(&store, &[0], 5);
    let elsewhere = Stage::new();
    store.run(&elsewhere, &["pull", "--identity", &identity(&elsewhere, 1)]).expect(6).says("no given key decrypts it");
}

#[test]
fn nothing_of_the_content_is_in_the_store() {
    let store = Store::directory();
    let (stage, connection) = Stage::with_rows(5);
    connection.execute("INSERT INTO message (body) VALUES ('seen by nobody else')", []).unwrap();
    stage.take();
    store.run(&stage, &["push", "--encrypt-to", KEYS[0].0]).expect(0);
    assert_eq!(store.pieces().len(), 1);
    for key in store.pieces() {
        let stored = fs::read(store.file(&key)).unwrap();
        assert!(stored.starts_with(b"age-encryption.org/v1\n"), "any program of age reads it");
        assert!(!stored.windows(8).any(|window| window == b"seen by " || window == b"SQLite f"));
    }
}

#[test]
fn an_interrupted_push_goes_on_with_the_encrypted_pieces_of_the_same_content_only() {
    let store = Store::directory();
    let stage = pushed(&store, &[0], ROWS);
    let point = stage.repository.manifests().unwrap().remove(0);
    let lost = store.pieces().pop().unwrap();
    store.remove(&point.name.manifest_file());
    store.remove(&lost);
    let push = ["push", "--encrypt-to", KEYS[0].0];
    let bytes: u64 = lost.split('-').nth(2).unwrap().parse().unwrap();
    let sent: backup::remote::push::Pushed = store.json(&stage, &push);
    // What age puts before the content has no fixed length.
    assert!(sent.pushed[0].sent_bytes.abs_diff(bytes) < 1024, "{sent:?}, lost {bytes}");

    // What was sent of a damaged file is not taken for a part of the good one.
    store.remove(&point.name.manifest_file());
    store.pieces().iter().for_each(|key| store.remove(key));
    let file = stage.repository.database(&point.name);
    let good = fs::read(&file).unwrap();
    let mut damaged = good.clone();
    damaged[5000] ^= 1;
    fs::write(&file, damaged).unwrap();
    store.run(&stage, &push).expect(3).says("BLAKE3: expected");
    assert!(!store.pieces().is_empty());
    fs::write(&file, good).unwrap();
    store.run(&stage, &push).expect(0);
    let elsewhere = Stage::new();
    store.run(&elsewhere, &["pull", "--identity", &identity(&elsewhere, 0)]).expect(0);
}

#[test]
fn a_damaged_piece_is_told_from_a_wrong_key() {
    let store = Store::directory();
    let stage = pushed(&store, &[0], 5);
    let piece = store.pieces().pop().unwrap();
    let mut stored = fs::read(store.file(&piece)).unwrap();
    *stored.last_mut().unwrap() ^= 1;
    store.write(&piece, &stored);
    let elsewhere = Stage::new();
    let name = stage.repository.manifests().unwrap()[0].name.clone();
    let pull = ["pull", name.as_str(), "--identity", &identity(&elsewhere, 0)];
    store.run(&elsewhere, &pull).expect(3).says("BLAKE3: expected");
}

#[test]
fn a_key_that_is_none_is_refused_and_not_repeated() {
    let store = Store::directory();
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    let secret = KEYS[0].1;
    let ended = store.run(&stage, &["push", "--encrypt-to", secret]).expect(2).says("not an age public key");
    assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    assert_eq!(store.keys(), [""; 0]);
    let file = stage.path("none.txt");
    fs::write(&file, "my diary\n").unwrap();
    let ended = store.run(&stage, &["pull", "--identity", file.to_str().unwrap()]).expect(1).says("AGE-SECRET-KEY-1");
    assert!(!ended.stderr.contains("diary"), "{}", ended.stderr);
}

fn with_variable(store: &Store, stage: &Stage, arguments: &[&str], value: &str) -> Ended {
    let mut command = store.command(stage, arguments);
    command.env("BACKUP_IDENTITY", value);
    ended(command)
}

/// As a container has a secret: the text in the environment, with what one gets wrong about it.
#[test]
fn a_key_in_the_environment_decrypts_and_is_never_repeated() {
    let store = Store::directory();
    pushed(&store, &[0], 5);
    let secret = KEYS[0].1;
    let file = format!("# made for a test\n{secret}\n");
    for text in [secret, file.as_str(), &format!(" {secret} \n")] {
        let elsewhere = Stage::new();
        with_variable(&store, &elsewhere, &["pull"], text).expect(0);
        elsewhere.restore(&[]);
        assert_eq!(ids(&elsewhere.database), up_to(5));
    }
    let short = &secret[..60];
    let encoded = "QUdFLVNFQ1JFVC1LRVktMTNFRTNZSE5LVFBOOVVBMDJBSDVYVVVWVTBRR0xRVVlYODhHWTJQSzRTMlRLWjhMRVdI";
    for (text, code, reason) in [
        (short.to_owned(), 2, "expected AGE-SECRET-KEY-1"),
        (format!("\"{secret}\""), 2, "expected AGE-SECRET-KEY-1"),
        (format!("/{secret}"), 2, "expected AGE-SECRET-KEY-1"),
        (short.to_lowercase(), 2, "expected AGE-SECRET-KEY-1"),
        (encoded.to_owned(), 2, "neither an existing file nor a key"),
        (String::new(), 6, "no given key decrypts it"),
    ] {
        let elsewhere = Stage::new();
        let ended = with_variable(&store, &elsewhere, &["pull"], &text).expect(code).says(reason);
        let said = ended.stdout + &ended.stderr;
        assert!(text.is_empty() || !said.to_lowercase().contains(&text.to_lowercase()), "{said}");
        assert!(!said.contains(&secret[20..50]), "{said}");
    }
    let elsewhere = Stage::new();
    let ended =
        store.run(&elsewhere, &["pull", "--identity", secret]).expect(2).says("every user can see a secret key");
    assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    let help = with_variable(&store, &elsewhere, &["pull", "--help"], secret).expect(0);
    assert!(!help.stdout.contains(secret), "{}", help.stdout);
}
