//! What is asked for: scenarios, or all that the platform offers.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use drill::scenario::Scenario;

use super::place::Place;

/// A scenario on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    All,
    One(Scenario),
}

impl Selection {
    /// As it is asked for.
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::One(scenario) => scenario.name(),
        }
    }
}

impl ValueEnum for Selection {
    fn value_variants<'a>() -> &'a [Self] {
        static VARIANTS: LazyLock<Vec<Selection>> = LazyLock::new(|| {
            let each = Scenario::value_variants().iter().map(|scenario| Selection::One(*scenario));
            each.chain([Selection::All]).collect()
        });
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::All => Some(PossibleValue::new(self.name()).help("Every scenario that the platform offers")),
            Self::One(scenario) => scenario.to_possible_value(),
        }
    }
}

/// The scenarios to run, in order; an error says which of those asked for by name is not offered, and why.
pub fn choose(selections: &[Selection], place: &Place) -> Result<Vec<Scenario>, String> {
    let mut chosen = Vec::new();
    for selection in selections {
        match selection {
            Selection::One(scenario) => match place.refusal(*scenario) {
                Some(why) => return Err(format!("{} is not offered on {}: {why}", scenario.name(), place.name())),
                None => chosen.push(*scenario),
            },
            Selection::All => {
                let offered = |scenario: &&Scenario| place.refusal(**scenario).is_none();
                chosen.extend(Scenario::value_variants().iter().filter(offered));
            }
        }
    }
    Ok(chosen)
}
