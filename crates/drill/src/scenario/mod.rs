//! What can happen to a service, and the runbook for it: steady state, fault, recovery, verdict.
//!
//! Each scenario is a file with one constant, and one line in the list here.

mod expected;

use std::time::Duration;

pub(crate) use expected::{Expectation, Expected};

use crate::platform::{Fault, Platform};
use crate::runbook::{Recovery, Settings, Step};

/// Declares the module of each scenario, and the list of them in the order in which they are shown and run.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(mod $name;)*

        pub(crate) static SCENARIOS: &[&Scenario] = &[$(&$name::SCENARIO),*];
    };
}

scenarios! {
    kill_pod
    kill_pvc
    corrupt_database
    bad_newest_backup
    interrupted_restore
    poisoned_backup
    human_error
    full_disk
    stuck_backups
    kill_backup_volume
    lose_both_volumes
    stolen_credentials
    drain_node
    stop_node
}

/// All that is known of a scenario. Where it can be run follows from its faults, see [`Scenario::refusal`].
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What happens, in a line.
    pub fault: &'static str,
    /// What it does and what it proves, in two lines of at most 96 characters.
    pub summary: [&'static str; 2],
    pub cost: Cost,
    /// The RTO where none is given.
    pub rto: Allowance,
    /// The RPO where none is given, and a journal does not give back what is lost.
    pub rpo: Allowance,
    /// What it comes to where all is as it should be.
    pub expected: Expected,
    /// The runbook of each way in which the service can come back, the usual one first.
    pub runbooks: &'static [Runbook],
    /// Whether another program may protect the database in the place of restore points.
    pub allows_protector: bool,
}

/// One way in which the service comes back.
#[derive(Debug)]
pub(crate) struct Runbook {
    pub recovery: Recovery,
    pub steps: &'static [Step],
}

/// What a scenario costs at most, done right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Time; no data.
    Nothing,
    /// What came after a restore point, also where there is a journal.
    Recent,
    /// What came after a restore point; nothing where there is a journal.
    RecentWithoutJournal,
    /// Protection: the RPO is missed as soon as the newest restore point is too old.
    Protection,
}

/// A time, and a number of intervals of the backups beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub seconds: u32,
    pub intervals: u32,
}

const fn seconds(seconds: u32) -> Allowance {
    Allowance { seconds, intervals: 0 }
}

/// All since the last backup, and the time that a backup itself may take: 75 s for backups each minute.
const ONE_BACKUP_LOST: Allowance = Allowance { seconds: 15, intervals: 1 };

impl Scenario {
    /// The steps of one way in which the service comes back; none if it is not one of this scenario.
    pub(crate) fn steps(&self, recovery: Recovery) -> &'static [Step] {
        self.runbooks.iter().find(|runbook| runbook.recovery == recovery).map_or(&[], |runbook| runbook.steps)
    }

    /// How the service comes back where nobody asks for another way.
    pub(crate) fn usual_recovery(&self) -> Recovery {
        self.runbooks.first().map_or(Recovery::None, |runbook| runbook.recovery)
    }

    /// Everything that it breaks.
    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> {
        self.steps(self.usual_recovery()).iter().filter_map(|step| step.fault())
    }

    pub(crate) fn breaks(&self, fault: Fault) -> bool {
        self.faults().any(|other| other == fault)
    }

    /// Whether the fault may cost data at all.
    pub(crate) fn may_lose(&self, is_journaled: bool) -> bool {
        match self.cost {
            Cost::Recent => true,
            Cost::RecentWithoutJournal => !is_journaled,
            Cost::Nothing | Cost::Protection => false,
        }
    }

    pub(crate) fn default_rto(&self, backup_interval: Duration) -> Duration {
        self.rto.with(backup_interval)
    }

    pub(crate) fn default_rpo(&self, backup_interval: Duration, is_journaled: bool) -> Duration {
        let gives_back = is_journaled && self.cost == Cost::RecentWithoutJournal;
        if gives_back { Duration::ZERO } else { self.rpo.with(backup_interval) }
    }

    /// Why a platform does not offer it; `None` if it does.
    pub(crate) fn refusal<P: Platform>(&self) -> Option<&'static str> {
        self.faults().find_map(P::refusal)
    }

    /// The steps that would be taken, with the objects that each fault would hit.
    pub(crate) fn plan(&self, settings: &Settings, targets: impl Fn(Fault) -> Vec<String>) -> Vec<String> {
        let steps = self.steps(settings.recovery).iter();
        steps.filter_map(|step| step.described(settings, &targets)).map(Into::into).collect()
    }
}

impl Allowance {
    fn with(self, backup_interval: Duration) -> Duration {
        Duration::from_secs(self.seconds.into()) + backup_interval * self.intervals
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use super::*;
    use crate::platform::{Kubernetes, Local};

    const HEADER: &str = "| scenario | what happens | expected | where |\n| --- | --- | --- | --- |\n";

    fn row(scenario: &Scenario) -> String {
        let expected = match scenario.expected {
            Expected::Pass => "pass".to_owned(),
            Expected::Limit { limit, lifted_by_remote: false, .. } => format!("*fail*: {limit}"),
            Expected::Limit { limit, lifted_by_remote: true, .. } => format!("*fail*: {limit}; with a remote, pass"),
        };
        let offers = [("local", scenario.refusal::<Local>()), ("Kubernetes", scenario.refusal::<Kubernetes>())];
        let offered = offers.iter().filter(|(_, refusal)| refusal.is_none()).map(|(name, _)| *name);
        let offered = offered.collect::<Vec<_>>().join(", ");
        format!("| `{}` | {} | {expected} | {offered} |\n", scenario.name, scenario.fault)
    }

    /// `UPDATE_SCENARIOS=1 cargo test -p drill table_of_scenarios` writes it anew.
    #[test]
    fn the_table_of_scenarios_says_what_they_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/en/src/scenarios.md");
        let text = fs::read_to_string(&path).unwrap();
        let (before, after) = text.split_once(HEADER).expect("there is a table of scenarios");
        let (_, after) = after.split_once("\n\n").expect("something follows it");
        let rows: String = SCENARIOS.iter().map(|scenario| row(scenario)).collect();
        let expected = format!("{before}{HEADER}{rows}\n{after}");
        if env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        assert_eq!(fs::read_to_string(path).unwrap(), expected, "it is out of date: see above how to write it anew");
    }

    #[test]
    fn the_french_table_has_the_same_scenarios_and_platforms() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fr/src/scenarios.md");
        let text = fs::read_to_string(path).unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let ends = |row: &str| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let expected =
                if cells[2].starts_with("*fail") || cells[2].starts_with("*échec") { "fail" } else { "pass" };
            [cells[0], expected, cells[3].trim()].map(str::to_owned)
        };
        let expected: Vec<_> = SCENARIOS.iter().map(|scenario| ends(&row(scenario))).collect();
        assert_eq!(rows.map(ends).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_a_whole_runbook() {
        for scenario in SCENARIOS {
            assert_eq!(SCENARIOS.iter().filter(|other| other.name == scenario.name).count(), 1, "{}", scenario.name);
            assert!(scenario.summary.iter().all(|line| line.chars().count() <= 96), "{}", scenario.name);
            for Runbook { steps, .. } in scenario.runbooks {
                let count = |wanted: fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
                assert!(matches!(steps.first(), Some(Step::SteadyState)), "{}", scenario.name);
                assert_eq!(count(|step| matches!(step, Step::Break(_))), 1, "{}: one fault is measured", scenario.name);
                for needed in [
                    (|step| matches!(step, Step::Moment(_))) as fn(&Step) -> bool,
                    |step| matches!(step, Step::CorrectAgain),
                    |step| matches!(step, Step::Reconcile),
                    |step| matches!(step, Step::ProtectedAgain),
                ] {
                    assert_eq!(count(needed), 1, "{}", scenario.name);
                }
            }
        }
    }
}
