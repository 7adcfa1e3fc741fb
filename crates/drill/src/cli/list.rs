use anyhow::Result;
use clap::Args;

use super::print;
use crate::exit;
use crate::scenario::SCENARIOS;

/// List the scenarios, each in two lines
#[derive(Args)]
pub(super) struct List {}

impl List {
    pub(super) fn run(self) -> Result<u8> {
        for scenario in SCENARIOS {
            print(&format!("{}\n    {}", scenario.name, scenario.summary.join("\n    ")))?;
        }
        Ok(exit::PASS)
    }
}
