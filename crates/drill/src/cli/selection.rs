//! What is asked for: scenarios, or all that the platform offers.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::place::Place;
use crate::scenario::{SCENARIOS, Scenario};

/// A scenario on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selection {
    All,
    One(&'static Scenario),
}

impl Selection {
    /// As it is asked for.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::One(scenario) => scenario.name,
        }
    }
}

impl ValueEnum for Selection {
    fn value_variants<'a>() -> &'a [Self] {
        static VARIANTS: LazyLock<Vec<Selection>> = LazyLock::new(|| {
            SCENARIOS.iter().map(|scenario| Selection::One(scenario)).chain([Selection::All]).collect()
        });
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::All => PossibleValue::new(self.name()).help("Every scenario that the platform offers"),
            Self::One(scenario) => PossibleValue::new(self.name()).help(scenario.fault),
        })
    }
}

/// The scenarios to run, in order; an error says which of those asked for by name is not offered, and why.
pub(super) fn choose(selections: &[Selection], place: &Place) -> Result<Vec<&'static Scenario>, String> {
    let mut chosen = Vec::new();
    for selection in selections {
        match selection {
            Selection::One(scenario) => match place.refusal(scenario) {
                Some(why) => return Err(format!("{} is not offered on {}: {why}", scenario.name, place.name())),
                None => chosen.push(*scenario),
            },
            Selection::All => {
                chosen.extend(SCENARIOS.iter().filter(|scenario| place.refusal(scenario).is_none()));
            }
        }
    }
    Ok(chosen)
}
