//! Signed restore points: who may write the store, and even knows the public keys, cannot have anything restored.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use backup::remote::pull::Pulled;
use backup::remote::push::Pushed;
use backup::{Entry, Manifest};

use super::encryption::{PUBLIC, identity};
use super::store::Store;
use crate::stage::{Stage, create, edit, ids, insert, output, up_to};

/// The key pair NAME.pem and NAME.pub, made by OpenSSL.
pub struct Keys {
    pub secret: String,
    pub public: String,
}

impl Keys {
    pub fn make(stage: &Stage, name: &str) -> Self {
        let path = |suffix: &str| stage.path(&format!("{name}.{suffix}")).to_str().unwrap().to_owned();
        let keys = Self { secret: path("pem"), public: path("pub") };
        for arguments in [
            &["genpkey", "-algorithm", "ed25519", "-out", &keys.secret][..],
            &["pkey", "-in", &keys.secret, "-pubout", "-out", &keys.public],
        ] {
            let mut openssl = Command::new("openssl");
            openssl.args(arguments);
            assert!(output(openssl).status.success(), "{arguments:?}");
        }
        keys
    }
}

/// Restore points of 5 and 7 rows, signed and encrypted, pushed one after the other.
fn pushed(store: &Store) -> (Stage, Keys) {
    let (stage, connection) = Stage::with_rows(5);
    let keys = Keys::make(&stage, "mine");
    let push = ["push", "--sign-key", &keys.secret, "--encrypt-to", PUBLIC];
    stage.take();
    store.run(&stage, &push).expect(0);
    insert(&connection, 2);
    stage.take();
    store.run(&stage, &push).expect(0);
    (stage, keys)
}

/// What a fresh machine makes of the store: the code of a pull, and what it has then.
fn pull(store: &Store, keys: &Keys) -> (i32, String, Stage) {
    let elsewhere = Stage::new();
    let identity = identity(&elsewhere, 0);
    let pull = ["pull", "--json", "--verify-key", &keys.public, "--identity", &identity];
    let ended = store.run(&elsewhere, &pull);
    (ended.code, ended.stderr, elsewhere)
}

#[test]
fn what_is_signed_is_pulled_and_verifies_where_it_is_restored() {
    for store in Store::each() {
        let (stage, keys) = pushed(&store);
        let (code, stderr, elsewhere) = pull(&store, &keys);
        assert_eq!(code, 0, "{stderr}");
        assert!(!stderr.contains("WARN"), "{stderr}");
        assert_eq!(elsewhere.repository.manifests().unwrap(), stage.repository.manifests().unwrap()[1..]);
        elsewhere.run(&["verify", "--verify-key", &keys.public]).expect(0);
        let other = Keys::make(&elsewhere, "other");
        elsewhere.run(&["verify", "--verify-key", &other.public]).expect(3).stdout_says("refused");
        elsewhere
            .run(&["restore", "--verify-key", &other.public])
            .expect(3)
            .says("matches none of the given public keys");
        elsewhere.run(&["restore", "--if-missing", "--verify-key", &other.public]).expect(3);
        assert!(!elsewhere.database.exists());
        elsewhere.run(&["restore", "--verify-key", &keys.public]).expect(0);
        assert_eq!(ids(&elsewhere.database), up_to(7));
        store.run(&Stage::new(), &["list", "--remote", "--verify-key", &other.public]).expect(0).stdout_says("refused");
    }
}

#[test]
fn what_was_made_without_the_key_is_never_taken() {
    let store = Store::directory();
    let (stage, keys) = pushed(&store);
    let lineage = stage.repository.manifests().unwrap()[0].lineage.clone().unwrap();
    // Of the same lineage, the newest by every measure.
    let forger = Stage::new();
    let connection = create(&forger.database);
    connection.execute("UPDATE pra_lineage SET id = ?1", [lineage.as_str()]).unwrap();
    insert(&connection, 50);
    (0..9).for_each(|_| drop(forger.take()));
    let theirs = Keys::make(&forger, "theirs");
    for forged in [&["push"][..], &["push", "--encrypt-to", PUBLIC], &["push", "--sign-key", &theirs.secret]] {
        let attacked = store.copy();
        attacked.run(&forger, forged).expect(0);
        let (code, stderr, elsewhere) = pull(&attacked, &keys);
        assert_eq!(code, 7, "{stderr}");
        let name = &forger.repository.manifests().unwrap()[8].name;
        assert!(stderr.contains(name.as_str()) && stderr.contains("refused: "), "{stderr}");
        elsewhere.restore(&["--verify-key", &keys.public]);
        assert_eq!(ids(&elsewhere.database), up_to(7), "{forged:?}");
        // Nor does a push with the key build upon it, or a prune with it count it.
        attacked.run(&stage, &["push", "--sign-key", &keys.secret]).expect(0);
        let prune = ["prune", "--remote", "--keep-last", "1", "--verify-key", &keys.public];
        attacked.run(&stage, &prune).expect(0);
        assert!(attacked.keys().contains(&stage.repository.manifests().unwrap()[1].name.manifest_file()));
    }
}

/// What somebody does to the text of the newest record, given that of the older one.
type Attack = fn(&str, &str) -> String;

#[test]
fn no_byte_of_a_record_can_be_changed_moved_or_taken_from_another() {
    let store = Store::directory();
    let (stage, keys) = pushed(&store);
    let [older, newest] = [0, 1].map(|index| stage.repository.manifests().unwrap()[index].clone());
    let field = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("\"{name}\":"))).unwrap();
        line.trim().trim_end_matches(',').to_owned()
    };
    let text = store.read(&newest.name.manifest_file());
    assert!(field(&text, "signature").len() > 128);
    let attacks: [(&str, Attack); 9] = [
        ("a greater sequence", |newest, _| newest.replace("\"sequence\": 2", "\"sequence\": 9")),
        ("no digest of itself", |newest, _| newest.replace("\"manifest_blake3\"", "\"was\"")),
        ("no signature", |newest, _| newest.replace("\"signature\"", "\"was\"")),
        ("a field twice", |newest, _| newest.replacen('{', "{\"sequence\": 9,", 1)),
        ("a field behind it", |newest, _| {
            newest.trim_end().strip_suffix('}').unwrap().to_owned() + ",\"sequence\": 9}\n"
        }),
        ("the older one", |_, older| older.to_owned()),
        ("not encrypted", |newest, _| newest.replace("\"encryption\": \"age\"", "\"encryption\": null")),
        ("another place", |newest, _| newest.replace("\"index\": 2", "\"index\": 7")),
        ("another time", |newest, _| newest.replace("\"created_at\": \"20", "\"created_at\": \"21")),
    ];
    for (what, attack) in attacks {
        let attacked = store.copy();
        let [from, to] = [&older, &newest].map(|manifest| store.read(&manifest.name.manifest_file()));
        let changed = attack(&to, &from);
        assert_ne!(changed, to, "{what}");
        // With its digest right again, where it has one.
        attacked.write(&newest.name.manifest_file(), changed.as_bytes());
        let (code, stderr, elsewhere) = pull(&attacked, &keys);
        assert_eq!(code, 7, "{what}: {stderr}");
        assert!(stderr.contains(newest.name.as_str()), "{what}: {stderr}");
        elsewhere.restore(&["--verify-key", &keys.public]);
        assert_eq!(ids(&elsewhere.database), up_to(5), "{what}");
    }
    // A good record under a key that is not its own.
    for key in [format!("{}.9.json", newest.name), older.name.manifest_file()] {
        let attacked = store.copy();
        attacked.write(&key, text.as_bytes());
        let (code, stderr, elsewhere) = pull(&attacked, &keys);
        assert!([0, 6].contains(&code) && stderr.contains("ignoring") || code == 0, "{key} {code}: {stderr}");
        assert!(elsewhere.repository.manifests().unwrap().iter().all(|manifest| *manifest == newest), "{key}");
    }
}

#[test]
fn what_is_written_here_is_signed_with_a_key_and_says_when_it_is_no_more() {
    let (stage, connection) = Stage::with_rows(5);
    let keys = Keys::make(&stage, "mine");
    let verify = ["verify", "--verify-key", &keys.public];
    stage.run(&["take", "--sign-key", &keys.secret]).expect(0);
    stage.run(&verify).expect(0);
    stage.run(&["take", "--sign-key", &keys.secret]).expect(0);
    stage.run(&verify).expect(0);
    let point = stage.repository.manifests().unwrap().remove(0);
    assert!(point.confirmed_at.is_some());
    stage.run(&["take"]).expect(0).says("removed its signature").says("--sign-key");
    stage.run(&verify).expect(3).stdout_says("it is not signed");
    let sign = ["trust", point.name.as_str(), "--sign-key", &keys.secret];
    stage.run(&sign).expect(0);
    stage.run(&verify).expect(0);
    edit(&stage.repository, &point.name, "\"sequence\": 1", "\"sequence\": 9");
    stage.run(&verify).expect(3).stdout_says("refused");
    drop(connection);
    stage.lose_database();
    stage.run(&["restore", point.name.as_str(), "--verify-key", &keys.public]).expect(3).says("refused");
    assert!(!stage.database.exists());
}

#[test]
fn one_key_follows_another() {
    let store = Store::directory();
    let (stage, old) = pushed(&store);
    let new = Keys::make(&stage, "new");
    stage.take();
    let push = ["push", "--sign-key", &new.secret, "--verify-key", &old.public, "--json"];
    let pushed: Pushed = serde_json::from_str(&store.run(&stage, &push).expect(0).stdout).unwrap();
    assert_eq!(pushed.head.unwrap().index, 3);
    let both = format!("{},{}", old.public, new.public);
    for (keys, listed) in [(&both, 3), (&old.public, 2), (&new.public, 1)] {
        let entries: Vec<Entry> = store.json(&Stage::new(), &["list", "--remote", "--verify-key", keys]);
        assert_eq!(entries.iter().filter_map(Entry::manifest).count(), listed, "{keys}");
    }
}

#[test]
fn what_was_pushed_before_there_was_a_key_can_be_signed() {
    for store in Store::each() {
        let (stage, _connection) = Stage::with_rows(5);
        stage.take();
        store.push(&stage);
        let keys = Keys::make(&stage, "mine");
        let pull = ["pull", "--verify-key", &keys.public];
        store.run(&Stage::new(), &pull).expect(3).says("it is not signed");
        let local = stage.repository.manifests().unwrap();
        store.run(&stage, &["pull", "--if-missing", "--verify-key", &keys.public]).expect(0);
        store.run(&stage, &["push", "--sign-key", &keys.secret]).expect(0);
        let elsewhere = Stage::new();
        let pulled: Pulled = store.json(&elsewhere, &pull);
        assert_eq!(pulled.pulled.len(), 1);
        elsewhere.run(&["verify", "--verify-key", &keys.public]).expect(0);
        // Here too, where it was not signed.
        store.run(&stage, &pull).expect(0);
        stage.run(&["verify", "--verify-key", &keys.public]).expect(0);
        assert_eq!(stage.repository.manifests().unwrap(), local);
        // What is pushed after what was not signed follows it, and misses nothing.
        let later = Store::directory();
        later.push(&stage);
        stage.take();
        let ended = later.run(&stage, &["push", "--sign-key", &keys.secret]).expect(0);
        assert!(ended.stdout.contains("head 2:"), "{}", ended.stdout);
        later.run(&stage, &["list", "--remote", "--verify-key", &keys.public]).expect(0);
    }
}

#[test]
fn a_key_that_others_may_read_or_that_is_none_is_refused() {
    let store = Store::directory();
    let (stage, _connection) = Stage::with_rows(5);
    let point: Manifest = stage.take();
    let keys = Keys::make(&stage, "mine");
    let push = ["push", "--sign-key", &keys.secret];
    for mode in [0o644, 0o604, 0o660] {
        fs::set_permissions(&keys.secret, fs::Permissions::from_mode(mode)).unwrap();
        store.run(&stage, &push).expect(1).says("chmod 600").says(&keys.secret);
    }
    fs::set_permissions(&keys.secret, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(store.keys(), [""; 0]);
    store.run(&stage, &push).expect(0);
    let wrong = ["pull", "--verify-key", &keys.secret];
    store.run(&Stage::new(), &wrong).expect(1).says("openssl pkey").says(&keys.secret);
    stage.run(&["restore", "--verify-key", "/does/not/exist"]).expect(1).says("/does/not/exist");
    store.run(&stage, &["push", "--verify-key", &keys.public]).expect(2).says("without --sign-key");
    assert!(store.keys().contains(&point.name.manifest_file()));
}

#[test]
fn a_secret_key_refuses_what_is_not_encrypted_unless_that_is_allowed() {
    let store = Store::directory();
    let (stage, _connection) = Stage::with_rows(5);
    let older = stage.take();
    store.push(&stage);
    stage.take();
    store.run(&stage, &["push", "--encrypt-to", PUBLIC]).expect(0);
    let plain = stage.take();
    store.push(&stage);
    let elsewhere = Stage::new();
    let identity = identity(&elsewhere, 0);
    let pull = ["pull", "--identity", &identity];
    store.run(&elsewhere, &pull).expect(7).says(plain.name.as_str()).says("not encrypted").says("--allow-unencrypted");
    assert_eq!(elsewhere.sequences(), [2]);
    let all = store.run(&Stage::new(), &[&pull[..], &["--all"]].concat()).expect(3);
    assert!(all.stderr.contains(older.name.as_str()) && all.stderr.contains(plain.name.as_str()), "{}", all.stderr);
    store.run(&elsewhere, &[&pull[..], &[plain.name.as_str()]].concat()).expect(3).says("not encrypted");
    let allowed = Stage::new();
    store.run(&allowed, &[&pull[..], &["--all", "--allow-unencrypted"]].concat()).expect(0);
    assert_eq!(allowed.sequences(), [1, 2, 3]);
}
