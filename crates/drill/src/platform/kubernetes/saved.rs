//! What a drill must remember of the cluster to put it right again, on disk before anything is changed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use backup::lineage::Lineage;
use backup::{bounds, openat};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::node::Stopped;
use super::objects::Metadata;
use crate::durable;
use crate::platform::Access;

/// The cluster as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The kubeconfig context.
    pub context: String,
    pub namespace: String,
    /// How clients reach the service.
    pub access: Access,
    /// Which namespace of that name it was; those that were made later are not the drill's. `None` in notes of an older
    /// version.
    #[serde(default)]
    pub namespace_uid: Option<String>,
    /// Which Deployment it was, likewise.
    #[serde(default)]
    pub deployment_uid: Option<String>,
    /// How long the cluster may take to reach a state.
    pub patience: Duration,
    /// The run's name; our objects carry it.
    pub run: String,
    /// The image with the drill in it, if it was given.
    pub drill_image: Option<String>,
    /// How many replicas the service had.
    pub replicas: i32,
    /// Whether backups were suspended.
    pub suspended: bool,
    /// How the volume can be created again.
    pub claim: Value,
    /// The volume that was there.
    pub claim_uid: String,
    /// How the volume of the restore points can be created again.
    pub repository: Value,
    /// Whether that volume was destroyed as well, so that restore points have to be fetched first.
    pub repository_lost: bool,
    /// Whether the CronJob that pushes restore points off the cluster was suspended; `None` where the drill has nothing to
    /// do with it.
    pub pushes_suspended: Option<bool>,
    /// The database on it, once the service has stated it.
    pub lineage: Option<Lineage>,
    /// The node that takes no pod, because the drill said so.
    pub cordoned: Option<String>,
    /// The node that is without power, because the drill cut it.
    pub stopped: Option<Stopped>,
    /// The revision of the service that was deployed, while another one of the drill's is.
    pub revision: Option<String>,
    /// What was done to the content of the volume and is not made good.
    pub damage: Option<Damage>,
}

/// Content that is not what it was, on a volume that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Damage {
    /// The database is overwritten.
    Overwritten,
    RowsDeleted {
        /// Not before this time.
        since: Timestamp,
        /// The safety copy that the restore left, once there was one: what was written since the mistake is in there alone.
        safety_copy: Option<PathBuf>,
    },
}

impl Saved {
    /// Reads what a drill left in its folder; `None` if that drill did not run on a cluster.
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>> {
        let path = path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let text =
            openat::bytes(&path, bounds::RECORD_BYTES).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", path.display())).map(Some)
    }

    /// Writes it to the folder, atomically.
    pub(crate) fn store(&self, folder: &Path) -> Result<()> {
        let path = path(folder);
        let partial = path.with_extension("partial");
        let context = || format!("cannot write {}", path.display());
        let mut file = durable::create(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(self)?).and_then(|()| file.sync_all()).with_context(context)?;
        openat::rename(&partial, &path).with_context(context)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("kubernetes.json")
}

/// The annotation of a claim that a drill has created, with the run as its value: later, others are told from it.
const CREATED_BY: &str = "pra.dev/drill-run";

/// A claim to create, marked as the drill's own. Whoever deploys finds nothing to change: it is no field of what is deployed.
pub(super) fn owned_claim(fresh: &Value, run: &str) -> Value {
    let mut claim = fresh.clone();
    claim["metadata"]["annotations"][CREATED_BY] = json!(run);
    claim
}

impl Saved {
    /// Whether a claim of the drill's names was created by others since.
    pub(crate) fn is_of_others(&self, claim: &Metadata) -> bool {
        let is_own = claim.annotations.get(CREATED_BY) == Some(&self.run);
        self.namespace_uid.is_some() && claim.uid != self.claim_uid && !is_own
    }
}

/// The annotation in which `apply` keeps what was deployed.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The claim as it must be created again: as it was deployed if that is known, so that the next deployment finds
/// nothing to change, else as it is without what the cluster added to it.
pub(super) fn fresh_claim(live: &Value) -> Value {
    let applied = live["metadata"]["annotations"][APPLIED].as_str();
    let deployed = applied.and_then(|text| Some((text, serde_json::from_str::<Value>(text).ok()?)));
    if let Some((text, mut claim)) = deployed {
        claim["metadata"]["annotations"][APPLIED] = json!(text);
        return claim;
    }
    let mut claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": live["spec"] });
    for field in ["name", "namespace", "labels"] {
        if let Some(value) = live["metadata"].get(field) {
            claim["metadata"][field] = value.clone();
        }
    }
    if let Some(spec) = claim["spec"].as_object_mut() {
        spec.remove("volumeName");
    }
    claim
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(annotations: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": "pra-data", "namespace": "pra", "uid": "1-2-3", "resourceVersion": "7",
                "labels": {"app.kubernetes.io/part-of": "pra"}, "finalizers": ["kubernetes.io/pvc-protection"],
                "annotations": annotations
            },
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local-path", "volumeName": "pvc-1-2-3"},
            "status": {"phase": "Bound"}
        })
    }

    #[test]
    fn a_fresh_claim_is_what_was_deployed() {
        let deployed = json!({"kind": "PersistentVolumeClaim", "metadata": {"annotations": {}, "name": "pra-data"}});
        let fresh =
            fresh_claim(&live(&json!({ APPLIED: deployed.to_string(), "pv.kubernetes.io/bind-completed": "yes" })));
        let mut expected = deployed.clone();
        expected["metadata"]["annotations"] = json!({ APPLIED: deployed.to_string() });
        assert_eq!(fresh, expected);
    }

    #[test]
    fn a_fresh_claim_of_unknown_origin_is_bound_to_nothing() {
        assert_eq!(
            fresh_claim(&live(&json!({ "volume.kubernetes.io/selected-node": "agent-0" }))),
            json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": "pra-data", "namespace": "pra", "labels": {"app.kubernetes.io/part-of": "pra"}
                },
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local-path"}
            })
        );
    }

    #[test]
    fn a_fresh_claim_without_labels_has_none() {
        let mut live = live(&json!({}));
        live["metadata"].as_object_mut().unwrap().remove("labels");
        assert_eq!(fresh_claim(&live)["metadata"], json!({"name": "pra-data", "namespace": "pra"}));
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Saved::load(folder.path()).unwrap().is_none());
        let saved = Saved {
            context: "k3d-pra".into(),
            namespace: "pra".into(),
            namespace_uid: Some("1".into()),
            deployment_uid: Some("2".into()),
            access: Access::Tunnel,
            patience: Duration::from_secs(1),
            run: "r".into(),
            drill_image: None,
            replicas: 1,
            suspended: false,
            claim: json!({}),
            claim_uid: "1-2-3".into(),
            repository: json!({}),
            repository_lost: false,
            pushes_suspended: None,
            lineage: None,
            cordoned: None,
            stopped: None,
            revision: None,
            damage: Some(Damage::RowsDeleted { since: Timestamp::UNIX_EPOCH, safety_copy: None }),
        };
        saved.store(folder.path()).unwrap();
        let loaded = Saved::load(folder.path()).unwrap().unwrap();
        assert_eq!((loaded.claim_uid, loaded.damage), (saved.claim_uid, saved.damage));
    }
}
