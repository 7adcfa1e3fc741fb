//! Manifests that are encrypted too: what is left to read is what listing and pruning need.

use backup::Entry;
use backup::remote::prune::RemotePruned;

use super::encryption::{PUBLIC, identity};
use super::signed::Keys;
use super::store::Store;
use crate::stage::{Stage, ids, insert, up_to};

const PUSH: [&str; 5] = ["push", "--all", "--encrypt-manifests", "--encrypt-to", PUBLIC];

/// Two restore points of a database with a table that nobody should know of; the newer one is suspect.
fn pushed(store: &Store, push: &[&str]) -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    connection.execute_batch("CREATE TABLE patients_of_ward_7 (id INTEGER PRIMARY KEY AUTOINCREMENT)").unwrap();
    connection.execute("INSERT INTO patients_of_ward_7 VALUES (77)", []).unwrap();
    stage.run(&["take", "--name", "the-clinic"]).expect(0);
    connection.execute_batch("DELETE FROM message; DELETE FROM patients_of_ward_7").unwrap();
    connection.execute_batch("UPDATE sqlite_sequence SET seq = 1").unwrap();
    stage.run(&["take"]).expect(7);
    store.run(&stage, push).expect(0);
    stage
}

#[test]
fn nothing_of_the_database_can_be_read_in_the_store() {
    let store = Store::directory();
    let stage = pushed(&store, &PUSH);
    let manifests = stage.repository.manifests().unwrap();
    let lineage = manifests[0].lineage.clone().unwrap();
    let plain = serde_json::to_string(&manifests).unwrap();
    let path = stage.database.to_str().unwrap();
    let secrets =
        ["patients_of_ward_7", "the-clinic", path, lineage.as_str(), &manifests[1].blake3, "high-water mark of"];
    for secret in secrets {
        assert!(plain.contains(secret), "{secret} proves nothing: {plain}");
        for key in store.keys() {
            let stored = std::fs::read(store.file(&key)).unwrap();
            let holds = |text: &[u8]| text.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds(&stored) && !holds(key.as_bytes()), "{secret} is in {key}");
        }
    }
}

#[test]
fn who_has_the_key_gets_all_of_it_and_who_has_not_can_list_and_prune() {
    for store in Store::each() {
        let stage = pushed(&store, &PUSH);
        let manifests = stage.repository.manifests().unwrap();
        let key = identity(&stage, 0);
        let listed: Vec<Entry> = store.json(&stage, &["list", "--remote", "--identity", &key]);
        assert_eq!(listed.iter().filter_map(Entry::manifest).collect::<Vec<_>>(), manifests.iter().collect::<Vec<_>>());

        let outlines: Vec<Entry> = store.json(&Stage::new(), &["list", "--remote"]);
        let shown = |entry: &Entry| {
            let manifest = entry.manifest().unwrap();
            (manifest.sequence, manifest.created_at, manifest.size_bytes, manifest.is_suspect())
        };
        assert_eq!(outlines.iter().map(shown).collect::<Vec<_>>(), listed.iter().map(shown).collect::<Vec<_>>());
        let identity_of = |entry: &Entry| entry.manifest().unwrap().identity();
        assert_eq!(identity_of(&outlines[0]), identity_of(&outlines[1]), "it is seen that they are of one database");
        assert_ne!(identity_of(&outlines[0]), identity_of(&listed[0]));

        store.run(&Stage::new(), &["pull"]).expect(6).says("no given key decrypts it").says("--identity");
        let elsewhere = Stage::new();
        store.run(&elsewhere, &["pull", "--all", "--identity", &key]).expect(0);
        assert_eq!(elsewhere.repository.manifests().unwrap(), manifests);
        elsewhere.run(&["restore", manifests[0].name.as_str()]).expect(0);
        assert_eq!(ids(&elsewhere.database), up_to(5));

        assert_eq!(
            store.run(&stage, &PUSH).expect(0).stdout.matches("is already there").count(),
            2,
            "it is known again"
        );
        let pruned: RemotePruned = store.json(&Stage::new(), &["prune", "--remote", "--keep-last", "9"]);
        assert_eq!(pruned.pruned.kept.len(), 2);
    }
}

#[test]
fn a_confirmation_is_handed_on_as_it_was_encrypted() {
    let store = Store::directory();
    let (stage, _connection) = Stage::with_rows(5);
    stage.run(&["take"]).expect(0);
    store.run(&stage, &PUSH).expect(0);
    stage.run(&["take"]).expect(0);
    store.run(&stage, &["push"]).expect(0).says("--encrypt-manifests");
    assert_eq!(store.records().len(), 1, "nothing of it is told");
    store.run(&stage, &PUSH).expect(0);
    assert_eq!(store.records().len(), 2);
    let key = identity(&stage, 0);
    let listed: Vec<Entry> = store.json(&Stage::new(), &["list", "--remote", "--identity", &key]);
    assert_eq!(listed[0].manifest(), stage.repository.manifests().unwrap().first());
    store.run(&stage, &["push", "--encrypt-manifests"]).expect(2).says("--encrypt-to");
}

#[test]
fn what_is_inside_is_signed_as_well_and_fits_what_is_outside() {
    let store = Store::directory();
    let stage = Stage::new();
    let keys = Keys::make(&stage, "mine");
    let signed = pushed(&store, &[&PUSH[..], &["--sign-key", &keys.secret]].concat());
    let key = identity(&stage, 0);
    let pull = ["pull", "--all", "--identity", &key, "--verify-key", &keys.public];
    let elsewhere = Stage::new();
    store.run(&elsewhere, &pull).expect(0);
    elsewhere.run(&["verify", "--all", "--verify-key", &keys.public]).expect(0);
    elsewhere.run(&["restore", "--verify-key", &keys.public]).expect(7);

    // Without the key to verify with, what is inside still has to be what is said outside.
    let [one, other] = [0, 1].map(|index| signed.repository.manifests().unwrap()[index].name.manifest_file());
    let sealed = |key: &str| -> serde_json::Value { serde_json::from_str(&store.read(key)).unwrap() };
    let (mut changed, inside) = (sealed(&one), sealed(&other)["sealed"].clone());
    changed["sealed"] = inside;
    changed.as_object_mut().unwrap().retain(|field, _| field != "manifest_blake3");
    store.write(&one, changed.to_string().as_bytes());
    let ended = store.run(&Stage::new(), &["list", "--remote", "--identity", &key]).expect(0);
    assert!(
        ended.stdout.contains("its manifest belongs to") && ended.stdout.contains("incomplete"),
        "{}",
        ended.stdout
    );
}

#[test]
fn one_database_is_one_order_whether_or_not_its_manifests_are_encrypted() {
    let store = Store::directory();
    let (stage, connection) = Stage::with_rows(5);
    (0..3).for_each(|_| drop(stage.take()));
    store.run(&stage, &PUSH).expect(0);
    std::fs::remove_dir_all(stage.repository.path()).unwrap();
    std::fs::create_dir(stage.repository.path()).unwrap();
    insert(&connection, 2);
    assert_eq!(stage.take().sequence, 1);
    store.run(&stage, &PUSH).expect(0);
    let elsewhere = Stage::new();
    let key = identity(&elsewhere, 0);
    store.run(&elsewhere, &["pull", "--identity", &key]).expect(0);
    assert_eq!(elsewhere.sequences(), [4], "the youngest comes after the older ones");
    elsewhere.restore(&[]);
    assert_eq!(ids(&elsewhere.database), up_to(7));
}
