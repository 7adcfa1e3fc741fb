//! One disaster for one contender: the drill runs it and judges it.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Contender, Setting};
use crate::programs::say;

/// What is broken.
pub const SCENARIOS: [&str; 2] = ["kill-pvc", "kill-pod"];

/// What came of it.
pub struct Drill {
    pub contender: &'static str,
    pub scenario: &'static str,
    /// The command, as it was run.
    command: String,
    /// The report of the drill, or why there is none.
    report: Result<Value, String>,
}

/// Runs a drill. One that does not come to a report is a result too.
pub fn run(setting: &Setting, contender: &Contender, scenario: &'static str, number: u32) -> Result<Drill> {
    let mut drill = Command::new(setting.programs.path("drill"));
    drill.args(["run", scenario, "--json", "--inject-at", "random"]);
    drill.args(["--seed", &setting.seed.wrapping_add(number).to_string()]);
    drill.args(["--backup-every", &format!("{}s", setting.every), "--writers", &setting.writers.to_string()]);
    drill.args(&contender.arguments);
    drill.arg("--reports").arg(setting.output.join("reports")).arg("--state-dir").arg(setting.output.join("state"));
    let (log_path, words) = (setting.output.join("drill.log"), std::iter::once(drill.get_program()));
    let words = words.chain(drill.get_args()).map(|word| word.to_string_lossy().into_owned());
    let command = words.collect::<Vec<_>>().join(" ");
    let log = File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
    let output = drill.stdin(Stdio::null()).stderr(log).output().context("cannot run drill")?;
    // Whatever it came to: a contender that loses is a result.
    let reports: Option<Vec<Value>> = serde_json::from_slice(&output.stdout).ok();
    let report = reports.and_then(|reports| reports.into_iter().next()).ok_or_else(|| {
        let said = fs::read_to_string(&log_path).unwrap_or_default();
        let error = said.lines().rfind(|line| line.starts_with("error: ")).or(said.lines().last());
        error.unwrap_or("it said nothing").trim_start_matches("error: ").to_owned()
    });
    let drill = Drill { contender: contender.name, scenario, command, report };
    say(&format!("  {scenario}: {}", drill.summary()));
    Ok(drill)
}

impl Drill {
    /// A number of the report, by its path; `None` where it was not measured.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.report.as_ref().ok()?.pointer(path)?.as_f64()
    }

    /// Why there is no report.
    pub fn obstacle(&self) -> Option<&str> {
        self.report.as_ref().err().map(String::as_str)
    }

    /// `pass`, `fail` or `inconclusive`; `none` without a report.
    pub fn verdict(&self) -> &str {
        self.report.as_ref().ok().and_then(|report| report["verdict"].as_str()).unwrap_or("none")
    }

    /// Whether it speaks neither for nor against the contender: the drill itself did not get that far.
    pub fn says_nothing(&self) -> bool {
        self.verdict() == "inconclusive"
    }

    /// What spoke against a pass.
    pub fn reasons(&self) -> Vec<&str> {
        let reasons = self.report.as_ref().ok().and_then(|report| report["reasons"].as_array());
        reasons.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub fn json(&self) -> Value {
        let (report, obstacle) = (self.report.as_ref().ok(), self.obstacle());
        json!({"contender": self.contender, "scenario": self.scenario, "command": self.command, "report": report,
               "obstacle": obstacle})
    }

    fn summary(&self) -> String {
        match (self.number("/ledger/lost"), self.number("/actual/rpa_seconds_max"), self.number("/actual/rta_seconds"))
        {
            (Some(lost), Some(rpa), Some(rta)) => {
                format!("{}, {lost} lost, RPA at most {rpa:.2} s, RTA {rta:.2} s", self.verdict())
            }
            _ => format!("{} {}", self.verdict(), self.obstacle().unwrap_or(&self.reasons().join("; "))),
        }
    }
}
