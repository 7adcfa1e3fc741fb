//! All that was measured, as a table, as data and as a part of the page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::drills::{Drill, SCENARIOS};
use super::price::Price;
use super::{Contender, Setting};
use crate::figure::table_of;
use crate::run::median;

pub struct Results {
    pub contenders: Vec<Contender>,
    pub rounds: Vec<Round>,
    /// What is not installed.
    pub left_out: Vec<String>,
    pub machine: String,
    pub quick: bool,
}

/// Everyone once.
#[derive(Default)]
pub struct Round {
    pub drills: Vec<Drill>,
    /// What went wrong in its place; `None` where there is nothing to make load with.
    pub unprotected: Option<Result<Price, String>>,
    /// In the order of the contenders.
    pub prices: Vec<Result<Price, String>>,
}

/// One line of the table.
pub struct Measure {
    pub title: &'static str,
    pub unit: Unit,
    of: Of,
}

enum Of {
    /// A figure of a report, of one scenario.
    Drill(&'static str, &'static str),
    /// From a price, and that of no protection.
    Price(fn(&Price, &Price) -> f64),
}

/// What a number counts.
#[derive(Clone, Copy)]
pub enum Unit {
    Writes,
    Seconds,
    PerSecond,
    Share,
    Bytes,
}

const fn drill(title: &'static str, unit: Unit, scenario: &'static str, path: &'static str) -> Measure {
    Measure { title, unit, of: Of::Drill(scenario, path) }
}

const fn price(title: &'static str, unit: Unit, of: fn(&Price, &Price) -> f64) -> Measure {
    Measure { title, unit, of: Of::Price(of) }
}

pub const MEASURES: [Measure; 11] = [
    drill("volume lost: acknowledged writes lost", Unit::Writes, "kill-pvc", "/ledger/lost"),
    drill("volume lost: RPA, at most", Unit::Seconds, "kill-pvc", "/actual/rpa_seconds_max"),
    drill("volume lost: RTA", Unit::Seconds, "kill-pvc", "/actual/rta_seconds"),
    drill("volume lost: false up", Unit::Seconds, "kill-pvc", "/actual/false_up_seconds"),
    drill("service killed: acknowledged writes lost", Unit::Writes, "kill-pod", "/ledger/lost"),
    drill("service killed: RTA", Unit::Seconds, "kill-pod", "/actual/rta_seconds"),
    drill("service killed: false up", Unit::Seconds, "kill-pod", "/actual/false_up_seconds"),
    price("/add, 32 connections", Unit::PerSecond, |price, _| price.per_second),
    price("/add, of what it is unprotected", Unit::Share, |price, unprotected| {
        price.per_second / unprotected.per_second
    }),
    price("/add, p99", Unit::Seconds, |price, _| price.p99_seconds),
    price("other volume, for each write", Unit::Bytes, |price, _| price.bytes_per_write),
];

impl Results {
    /// A figure of a contender in each round that has it.
    pub fn series(&self, measure: &Measure, contender: usize) -> Vec<f64> {
        let name = self.contenders[contender].name;
        let of = |round: &Round| match measure.of {
            Of::Drill(scenario, path) => {
                let mut drills = round.drills.iter();
                drills.find(|drill| drill.contender == name && drill.scenario == scenario)?.number(path)
            }
            Of::Price(of) => {
                Some(of(round.prices.get(contender)?.as_ref().ok()?, round.unprotected.as_ref()?.as_ref().ok()?))
            }
        };
        self.rounds.iter().filter_map(of).collect()
    }

    /// Contenders side by side: medians, and in brackets the least and the most.
    pub fn table(&self) -> String {
        let head = std::iter::once(String::new()).chain(self.contenders.iter().map(|one| one.name.to_owned()));
        let mut rows = vec![head.collect::<Vec<_>>()];
        let row = |title: &str, cell: &dyn Fn(usize) -> String| {
            std::iter::once(title.to_owned()).chain((0..self.contenders.len()).map(cell)).collect()
        };
        for measure in &MEASURES {
            rows.push(row(measure.title, &|contender| self.cell(&self.series(measure, contender), measure.unit)));
        }
        for (scenario, title) in SCENARIOS.into_iter().zip(["volume lost: passed", "service killed: passed"]) {
            rows.push(row(title, &|contender| self.passed(contender, scenario)));
        }
        table_of(rows)
    }

    fn cell(&self, series: &[f64], unit: Unit) -> String {
        if series.is_empty() {
            return "not measured".to_owned();
        }
        let (least, most) = series.iter().fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(*x), most.max(*x)));
        let middle = unit.text(median(series.to_vec()));
        let range =
            if least == most { String::new() } else { format!(" ({} to {})", unit.text(least), unit.text(most)) };
        let part = if series.len() == self.rounds.len() { "" } else { ", of some runs" };
        format!("{middle}{range}{part}")
    }

    fn passed(&self, contender: usize, scenario: &str) -> String {
        let name = self.contenders[contender].name;
        let drills = self.drills().filter(|drill| drill.contender == name && drill.scenario == scenario);
        let (says_nothing, judged): (Vec<_>, Vec<_>) = drills.partition(|drill| drill.says_nothing());
        let passed = judged.iter().filter(|drill| drill.verdict() == "pass").count();
        let rest =
            if says_nothing.is_empty() { String::new() } else { format!(", {} inconclusive", says_nothing.len()) };
        format!("{passed} of {}{rest}", judged.len())
    }

    fn drills(&self) -> impl Iterator<Item = &Drill> {
        self.rounds.iter().flat_map(|round| &round.drills)
    }

    /// What spoke against a pass, and how often: one line for each contender and kind.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: BTreeMap<String, u32> = BTreeMap::new();
        for drill in self.drills().filter(|drill| drill.verdict() != "pass") {
            for reason in drill.reasons().into_iter().chain(drill.obstacle()) {
                // Numbers differ from run to run, what is wrong does not.
                let kind: String = reason.split([':', '(']).next().unwrap_or(reason).trim().into();
                let kind = kind.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned();
                let says_nothing = if drill.says_nothing() { "inconclusive, " } else { "" };
                let remark = format!("{}, {}: {says_nothing}{kind}", drill.contender, drill.scenario);
                *remarks.entry(remark).or_default() += 1;
            }
        }
        for round in &self.rounds {
            for (contender, price) in self.contenders.iter().zip(&round.prices) {
                if let Err(error) = price {
                    *remarks.entry(format!("{}, under load: {error}", contender.name)).or_default() += 1;
                }
            }
        }
        remarks.into_iter().map(|(remark, times)| format!("{remark} ({times} of {} runs)", self.rounds.len())).collect()
    }

    pub fn json(&self, setting: &Setting) -> Value {
        let contenders: Vec<Value> = self
            .contenders
            .iter()
            .map(|one| json!({"name": one.name, "version": one.version, "options": one.arguments, "shown": one.shown}))
            .collect();
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|round| {
                let drills: Vec<Value> = round.drills.iter().map(Drill::json).collect();
                let price = |price: &Result<Price, String>| match price {
                    Ok(price) => price.json(),
                    Err(error) => json!({"error": error}),
                };
                let prices: Vec<Value> = round.prices.iter().map(price).collect();
                json!({"drills": drills, "prices": prices, "unprotected": round.unprotected.as_ref().map(price)})
            })
            .collect();
        json!({"schema_version": 1, "quick": self.quick, "machine": self.machine, "every_seconds": setting.every,
               "seed": setting.seed, "writers": setting.writers, "load_seconds": setting.load_seconds,
               "contenders": contenders, "rounds": rounds, "left_out": self.left_out, "remarks": self.remarks()})
    }

    /// The part of docs/en/src/versus.md that is written anew each time.
    pub fn page(&self, table: &str, setting: &Setting) -> String {
        let (runs, every, load) = (self.rounds.len(), setting.every, setting.load_seconds);
        let remarks = self.remarks().iter().map(|remark| format!("- {remark}\n")).collect::<String>();
        let remarks = if remarks.is_empty() {
            remarks
        } else {
            format!(
                "\nWhat the judge held against them, and what made a run inconclusive, which speaks against nobody:\n\n{remarks}"
            )
        };
        let left_out = self.left_out.join("; ");
        let left_out = if left_out.is_empty() { left_out } else { format!("\nLeft out, not installed: {left_out}.\n") };
        let lines = self.contenders.iter().map(commands).collect::<String>();
        format!(
            "`cargo versus --runs {runs} --every {every} --seed {}` on {}: copies and restore points every {every} s, \
             {} writers without a pause when the disaster strikes, at the same random moments for everyone; throughput \
             over {load} s. Medians, in brackets the least and the most.\n\n{table}{remarks}{left_out}\n\
             ![What was lost, how long it took, and what the protection costs](versus.svg)\n\n\
             ## What was run\n\n{lines}",
            setting.seed, self.machine, setting.writers
        )
    }
}

/// The commands of a contender.
fn commands(contender: &Contender) -> String {
    let shown = contender.shown.iter().map(|(title, text)| format!("# {title}\n{text}\n")).collect::<String>();
    format!("**{}** ({})\n\n```sh\n{shown}```\n\n", contender.name, contender.version)
}

impl Unit {
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Writes => format!("{value:.0}"),
            Self::Seconds if value == 0.0 => "0 s".to_owned(),
            Self::Seconds if value < 0.1 => format!("{:.0} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Share => format!("{:.0} %", value * 100.0),
            Self::Bytes => format!("{value:.0} B"),
        }
    }
}
