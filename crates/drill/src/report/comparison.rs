//! Several drills of one call beside each other: `comparison.md` for reading, `comparison.json` for programs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{Report, create_folder, interval, lines, save, seconds};
use crate::judge::{Actual, Phases, Verdict};
use crate::scenario::Recovery;

/// What `comparison.json` says of each drill, in the order in which they ran.
#[derive(Serialize)]
struct Compared<'a> {
    scenario: &'a str,
    recovery: Recovery,
    run: &'a str,
    /// The folder of its own report, relative to this one.
    report: String,
    verdict: Verdict,
    actual: &'a Actual,
    phases: &'a Phases,
    lost: Option<usize>,
}

/// Writes the comparison beside the folders of the reports, and gives its folder.
///
/// # Errors
/// If there is no report, or the files cannot be written.
pub fn write(reports: &Path, done: &[(Report, PathBuf)]) -> Result<PathBuf> {
    let (first, _) = done.first().context("there is no report to compare")?;
    let folder = create_folder(reports, &first.run, "comparison", &first.platform)?;
    let compared: Vec<Compared<'_>> = done.iter().map(compared).collect();
    save(&folder, "comparison.json", &(serde_json::to_string_pretty(&compared)? + "\n"))?;
    save(&folder, "comparison.md", &markdown(&first.platform, &compared))?;
    Ok(folder)
}

fn compared((report, folder): &(Report, PathBuf)) -> Compared<'_> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Compared {
        scenario: &report.scenario,
        recovery: report.recovery,
        run: &report.run,
        report: format!("../{name}/report.md"),
        verdict: report.verdict,
        actual: &report.actual,
        phases: &report.phases,
        lost: report.ledger.as_ref().map(|ledger| ledger.lost),
    }
}

/// A column for each drill.
fn markdown(platform: &str, compared: &[Compared<'_>]) -> String {
    let row = |what: &str, cell: &dyn Fn(&Compared<'_>) -> String| {
        let cells: Vec<String> = compared.iter().map(cell).collect();
        format!("| {what} | {} |", cells.join(" | "))
    };
    lines([
        format!("# {} drills on {platform}\n", compared.len()),
        row("", &|drill| drill.scenario.to_owned()),
        row("---", &|_| "---:".to_owned()),
        row("Recovery", &|drill| drill.recovery.to_string()),
        row("Verdict", &|drill| drill.verdict.to_string()),
        row("Recovery time (RTA)", &|drill| seconds(drill.actual.rta_seconds)),
        row("– detection", &|drill| seconds(drill.phases.detection)),
        row("– decision", &|drill| seconds(drill.phases.decision)),
        row("– preparation", &|drill| seconds(drill.phases.preparation)),
        row("– restore", &|drill| seconds(drill.phases.restore)),
        row("– restart", &|drill| seconds(drill.phases.restart)),
        row("Data loss (RPA)", &|drill| interval(drill.actual.rpa_seconds_min, drill.actual.rpa_seconds_max)),
        row("Acknowledged and lost", &|drill| drill.lost.map_or("–".to_owned(), |lost| lost.to_string())),
        row("Answering with wrong data (false up)", &|drill| seconds(drill.actual.false_up_seconds)),
        row("Protected again after", &|drill| seconds(drill.actual.reprotection_seconds)),
        row("Report", &|drill| format!("[{}]({})", drill.run, drill.report)),
    ])
}
