//! Nothing is destroyed before the way back was gone once.

use std::fs;

use serde_json::json;

use super::cluster::Cluster;
use crate::support::{Place, assert_exit};

/// A key pair made for these tests and nothing else.
const RECIPIENT: &str = "age18u6c63j4gau93w0f80w8q27r2tccym2yyuuxkrznrw3q5xrq6c8q4fss3s";
const IDENTITY: &str = "AGE-SECRET-KEY-13EE3YHNKTPN9UA02AH5XUUVU0QGLQUYX88GY2PK4S2TKZ8LEWHPS8PJMDC";

#[test]
fn volumes_are_not_destroyed_if_nobody_has_the_key_for_what_is_off_the_cluster() {
    let cluster = Cluster::new();
    cluster.tell(&json!({"secret": {"BACKUP_ENCRYPT_TO": RECIPIENT}}));
    let said = cluster.said(&["lose-both-volumes", "--offsite"], 3);
    assert!(
        said.contains("cannot restore what is kept off the cluster") && said.contains("no given key decrypts it"),
        "{said}"
    );
    let changes = cluster.changes();
    assert!(!changes.iter().any(|change| change.contains("persistentvolumeclaim")), "{changes:?}");
    cluster.assert_whole();
}

#[test]
fn what_is_encrypted_off_the_cluster_comes_back_with_the_key() {
    let cluster = Cluster::new();
    let identity = cluster.place.path().join("identity.txt");
    fs::write(&identity, IDENTITY).unwrap();
    cluster.tell(&json!({"secret": {"BACKUP_ENCRYPT_TO": RECIPIENT, "BACKUP_IDENTITY": identity}}));
    cluster.said(&["lose-both-volumes", "--offsite"], 0);
    assert!(cluster.changes().contains(&"create Job drill-rehearsal".to_owned()), "{:?}", cluster.changes());
    cluster.assert_whole_with_sentinel();
    // The key itself in the Secret, as a variable.
    let cluster = Cluster::new();
    cluster.tell(&json!({"secret": {"BACKUP_ENCRYPT_TO": RECIPIENT, "BACKUP_IDENTITY": IDENTITY}}));
    let said = cluster.said(&["lose-both-volumes", "--offsite"], 0);
    assert!(!said.contains(IDENTITY), "{said}");
    cluster.assert_whole_with_sentinel();
}

#[test]
fn the_same_holds_on_one_machine() {
    for (identity, code) in [(None, 3), (Some(IDENTITY), 0)] {
        let place = Place::new();
        let remote = format!("file://{}", place.path().join("remote").display());
        fs::create_dir(place.path().join("remote")).unwrap();
        let mut drill = place.drill(&["run", "lose-both-volumes", "--backup-every", "1s", "--remote", &remote]);
        drill.env("BACKUP_ENCRYPT_TO", RECIPIENT).env_remove("BACKUP_IDENTITY");
        if let Some(identity) = identity {
            let file = place.path().join("identity.txt");
            fs::write(&file, identity).unwrap();
            drill.env("BACKUP_IDENTITY", file);
        }
        let output = drill.output().unwrap();
        assert_exit(&output, code);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("cannot restore from the remote repository"), code == 3, "{said}");
        assert_eq!(said.contains("D0"), code == 0, "{said}");
        place.assert_clean();
    }
}
