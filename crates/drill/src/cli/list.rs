use anyhow::Result;
use clap::{Args, ValueEnum as _};
use drill::exit;
use drill::scenario::Scenario;

use super::print;

/// List the scenarios, each in two lines
#[derive(Args)]
pub struct List {}

impl List {
    pub fn run(self) -> Result<u8> {
        for scenario in Scenario::value_variants() {
            print(&format!("{}\n    {}", scenario.name(), scenario.about().summary.join("\n    ")))?;
        }
        Ok(exit::PASS)
    }
}
