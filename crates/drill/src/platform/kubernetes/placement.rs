//! Where the volumes are: which one is behind each claim, and on which node.

use anyhow::Result;

use super::objects::{Claim, Pod};
use super::{DATA, Kubernetes, REPOSITORY};
use crate::platform::Placed;

/// Kubernetes notes here for which node it had a volume made. A volume itself tells too, but it is outside of the namespace,
/// and whoever may not read that can still drill.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

impl Kubernetes {
    /// Of the claims that exist and are bound.
    pub(super) async fn placed_volumes(&self) -> Result<Vec<Placed>> {
        let pods: Vec<Pod> = self.kubectl.list("pods", None).await?;
        let mut placed = Vec::new();
        for name in [DATA, REPOSITORY] {
            let claim: Option<Claim> = self.kubectl.get("persistentvolumeclaim", name).await?;
            placed.extend(claim.and_then(|claim| place(claim, &pods)));
        }
        Ok(placed)
    }
}

fn place(claim: Claim, pods: &[Pod]) -> Option<Placed> {
    let name = claim.metadata.name;
    // Where it is used, it is; a volume that moves says so by its user alone.
    let user = pods.iter().find(|pod| pod.is_ready() && pod.spec.mounts(&name));
    let node = user.and_then(|pod| pod.spec.node_name.clone());
    let node = node.or_else(|| claim.metadata.annotations.get(SELECTED_NODE).cloned());
    Some(Placed { volume: claim.spec.volume_name?, node, claim: name })
}
