//! No option is ignored in silence: each that does nothing on this platform, or for these scenarios, is refused.

use super::place::Name;
use super::run::Run;
use crate::platform::Fault;
use crate::runbook::{InjectAt, Step};
use crate::scenario::{SCENARIOS, Scenario};

/// An option, and whether it was given.
type Given = (&'static str, bool);

impl Run {
    /// Why an option does nothing here; `None` if each does something.
    pub(super) fn idle_option(&self, scenarios: &[&'static Scenario]) -> Option<String> {
        self.of_another_platform().or_else(|| self.of_other_scenarios(scenarios))
    }

    fn of_another_platform(&self) -> Option<String> {
        let place = &self.place;
        let kubernetes: [Given; 9] = [
            ("--context", place.context.is_some()),
            ("--namespace", place.namespace.is_some()),
            ("--url", place.url.is_some()),
            ("--no-grace", place.no_grace),
            ("--brutal", place.brutal),
            ("--offsite", place.offsite),
            ("--drill-image", place.drill_image.is_some()),
            ("--stop-node", place.stop_node.is_some()),
            ("--cluster-patience", place.cluster_patience.is_some()),
        ];
        let local: [Given; 5] = [
            ("--listen", self.listen.is_some()),
            ("--linger", self.linger.is_some()),
            ("--protector", place.protector.is_some()),
            ("--copy-of", place.copy_of.is_some()),
            ("--remote", place.remote.is_some()),
        ];
        let (elsewhere, platform): (&[Given], _) = match place.platform {
            Name::Local => (&kubernetes, "--platform kubernetes"),
            Name::Kubernetes => (&local, "--platform local"),
        };
        let (option, _) = elsewhere.iter().find(|(_, given)| *given)?;
        Some(format!("{option} is for {platform}"))
    }

    fn of_other_scenarios(&self, scenarios: &[&'static Scenario]) -> Option<String> {
        let place = &self.place;
        let has_volley = |scenario: &Scenario| {
            scenario.steps(scenario.usual_recovery()).iter().any(|step| matches!(step, Step::Volley(_)))
        };
        type Use = (&'static str, bool, fn(&Scenario) -> bool);
        let options: [Use; 8] = [
            ("--automatic", place.automatic, |scenario| scenario.runbooks.len() > 1),
            ("--both-ways", place.both_ways, |scenario| scenario.runbooks.len() > 1),
            ("--writers", self.writers.is_some(), has_volley),
            ("--no-grace", place.no_grace, |scenario| scenario.breaks(Fault::KillService)),
            ("--brutal", place.brutal, |scenario| scenario.breaks(Fault::DestroyVolume)),
            ("--offsite", place.offsite, |scenario| scenario.breaks(Fault::DestroyBothVolumes)),
            ("--drill-image", place.drill_image.is_some(), |scenario| {
                scenario.breaks(Fault::OverwriteDatabase) || scenario.breaks(Fault::DeleteRows)
            }),
            ("--stop-node", place.stop_node.is_some(), |scenario| scenario.breaks(Fault::StopNode)),
        ];
        let idle = options.iter().find(|(_, given, uses)| *given && !scenarios.iter().any(|scenario| uses(scenario)));
        if let Some((option, _, uses)) = idle {
            let users = SCENARIOS.iter().filter(|scenario| uses(scenario)).map(|scenario| scenario.name);
            return Some(format!("{option} is for {}", users.collect::<Vec<_>>().join(", ")));
        }
        let is_random = self.inject_at == Some(InjectAt::Random);
        (self.seed.is_some() && !is_random).then(|| "--seed is for --inject-at random".to_owned())
    }
}
