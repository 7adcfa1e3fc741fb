use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::print;
use crate::exit;
use crate::platform::content;

/// Change what is in a database: what the Jobs of a drill on a cluster do, where its files are
#[derive(Args)]
pub(super) struct Content {
    #[command(subcommand)]
    change: Change,
    /// The database
    #[arg(long, value_name = "FILE", env = "DB_PATH", global = true, default_value = "/data/app.db")]
    database: PathBuf,
}

#[derive(Subcommand)]
enum Change {
    /// Overwrite the whole file
    Overwrite,
    /// Delete the rows of the tables that collect data
    DeleteRows,
    /// Add the rows of another database that are not there
    BringBack {
        /// That other database
        from: PathBuf,
    },
}

impl Content {
    pub(super) fn run(self) -> Result<u8> {
        let done = match self.change {
            Change::Overwrite => content::overwrite(&self.database),
            Change::DeleteRows => content::delete_rows(&self.database),
            Change::BringBack { from } => content::bring_back(&self.database, &from),
        };
        print(&format!("{}\n", done?))?;
        Ok(exit::PASS)
    }
}
