//! When the fault strikes, and what that costs.

use serde_json::Value;

use crate::support::{Place, assert_exit};

/// Loses a volume at a moment; gives the report. Backups every three seconds tell the moments apart.
fn lost(arguments: &[&str]) -> Value {
    let place = Place::new();
    let output = place
        .drill(&[&["run", "kill-pvc", "--backup-every", "3s", "--inject-at"], arguments].concat())
        .output()
        .unwrap();
    assert_exit(&output, 0);
    place.assert_clean();
    place.report()
}

fn loss(report: &Value) -> f64 {
    report["actual"]["rpa_seconds_max"].as_f64().unwrap()
}

#[test]
fn the_worst_moment_is_measured_and_not_guessed() {
    let (luckiest, worst) = std::thread::scope(|scope| {
        let luckiest = scope.spawn(|| lost(&["just-after-backup"]));
        (luckiest.join().unwrap(), lost(&["just-before-backup"]))
    });
    assert_eq!(luckiest["method"]["inject_at"], "just-after-backup");
    assert_eq!(worst["method"]["inject_at"], "just-before-backup");
    // 2.85 s after the snapshot began, and the spacing of writes.
    assert!(loss(&worst) > 2.5, "{worst:#}");
    assert!(loss(&luckiest) < loss(&worst) - 1.0, "{luckiest:#}");
}

#[test]
fn a_random_moment_is_repeated_by_its_seed() {
    let reports: Vec<Value> = std::thread::scope(|scope| {
        let twice = [(); 2].map(|()| scope.spawn(|| lost(&["random", "--seed", "3"])));
        twice.map(|report| report.join().unwrap()).into()
    });
    for report in &reports {
        assert_eq!((&report["method"]["inject_at"], &report["method"]["seed"]), (&"random".into(), &3.into()));
        // A slow machine may strike later; never earlier.
        let after = report["method"]["inject_after_snapshot_seconds"].as_f64().unwrap();
        let struck = report["events"].as_array().unwrap().iter().find(|event| event["event"] == "D0").unwrap();
        let struck = struck["seconds"].as_f64().unwrap();
        let points = report["restore_points"].as_array().unwrap().iter();
        let known = points.filter(|point| point["published_seconds"].as_f64().unwrap() < struck);
        let newest = known.map(|point| point["began_seconds"].as_f64().unwrap()).fold(0.0, f64::max);
        assert!(struck - newest >= after - 0.001, "{report:#}");
    }
    let [first, second] = [0, 1].map(|run: usize| &reports[run]["method"]["inject_after_snapshot_seconds"]);
    assert_eq!(first, second);
}

#[test]
fn a_seed_that_nobody_chose_is_stated_so_that_it_can_be() {
    let report = lost(&["random"]);
    assert!(report["method"]["seed"].as_u64().is_some(), "{report:#}");
}
