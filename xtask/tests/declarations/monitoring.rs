//! What Prometheus and Grafana are told is true as well.

use std::fs;

use serde_json::Value;

use crate::{done, root, tool};

/// The overlay of a cluster with the Prometheus operator, rendered.
fn monitored() -> Option<String> {
    let directory = tempfile::tempdir_in(root().join("target")).unwrap();
    let overlay = "resources: [../../k8s/overlays/k3d]\ncomponents: [../../k8s/components/monitoring]\n";
    fs::write(directory.path().join("kustomization.yaml"), overlay).unwrap();
    Some(done(tool("kubectl")?.arg("kustomize").arg(directory.path())))
}

#[test]
fn monitoring_comes_with_any_overlay() {
    let Some(rendered) = monitored() else { return };
    for object in ["kind: ServiceMonitor\n", "kind: PrometheusRule\n", "grafana_dashboard: \"1\"\n"] {
        let mut objects = rendered.split("---\n").filter(|one| one.contains(object));
        assert!(objects.next().is_some_and(|one| one.contains("\n  namespace: pra\n")), "{object}");
        assert!(objects.next().is_none(), "{object} is there twice");
    }
    let dashboard = fs::read_to_string(root().join("k8s/components/monitoring/dashboard.json")).unwrap();
    serde_json::from_str::<Value>(&dashboard).unwrap();
}

#[test]
fn alerts_come_before_the_objective_is_missed_and_not_without_reason() {
    let rules = fs::read_to_string(root().join("k8s/components/monitoring/prometheus-rule.yaml")).unwrap();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // What the operator gives to Prometheus: the content of `spec`.
    let spec = rules.split("\nspec:\n").nth(1).unwrap().lines().map(|line| line.get(2..).unwrap_or_default());
    fs::write(directory.path().join("rules.yaml"), spec.collect::<Vec<_>>().join("\n")).unwrap();
    fs::copy(root().join("k8s/components/monitoring/rules-test.yaml"), directory.path().join("test.yaml")).unwrap();
    let Some(mut promtool) = tool("promtool") else { return };
    done(promtool.current_dir(directory.path()).args(["test", "rules", "test.yaml"]));
}

/// Every metric that a rule or a panel asks for is one that the service has.
#[test]
fn nothing_is_asked_for_that_is_not_measured() {
    let sources =
        ["metrics.rs", "routes/metrics.rs", "store/commits.rs"].map(|file| root().join("crates/app/src").join(file));
    let measured = sources.map(|source| fs::read_to_string(source).unwrap()).concat();
    for file in ["dashboard.json", "prometheus-rule.yaml"] {
        let text = fs::read_to_string(root().join("k8s/components/monitoring").join(file)).unwrap();
        let names = text
            .split("pra_")
            .skip(1)
            .map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_lowercase()).next().unwrap());
        for name in names {
            let ends = ["_total", "_bucket", "_sum", "_count", "_seconds", "_info", ""];
            let stems = ends.iter().filter_map(|end| name.strip_suffix(end));
            let mut stems = stems.flat_map(|stem| [stem, stem.strip_suffix("_seconds").unwrap_or(stem)]);
            assert!(stems.any(|stem| measured.contains(&format!("\"{stem}\""))), "{file}: pra_{name}");
        }
    }
}
