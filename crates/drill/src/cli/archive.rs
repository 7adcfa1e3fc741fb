//! Where reports are kept, and how.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub struct Archive {
    /// Directory that receives a folder for each report
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Commit that is drilled, to be stated in the reports
    #[arg(long, value_name = "HASH", env = "DRILL_COMMIT")]
    commit: Option<String>,
    /// File that shows the newest run of each scenario to Prometheus, through the textfile collector
    #[arg(long, value_name = "FILE")]
    prometheus_textfile: Option<PathBuf>,
}

impl Archive {
    pub fn open(&self) -> drill::report::Archive {
        drill::report::Archive {
            directory: self.reports.clone(),
            commit: self.commit.clone(),
            textfile: self.prometheus_textfile.clone(),
        }
    }
}
