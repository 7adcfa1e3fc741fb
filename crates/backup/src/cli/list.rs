use backup::lineage::Lineage;
use backup::{Entry, Manifest, State, Suspicion, exit};
use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};
use jiff::Timestamp;

use super::remote::InsteadArg;
use super::{RepositoryArg, output};

/// Columns of a terminal that everybody has.
const WIDTH: u16 = 80;

/// List the restore points, oldest first; reads their manifests only
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    remote: InsteadArg,
}

impl List {
    pub fn run(&self, json: bool) -> anyhow::Result<u8> {
        let entries = match self.remote.open()? {
            Some(remote) => remote.entries()?,
            None => self.repository.open().entries()?,
        };
        if json {
            output::json(&entries)?;
        } else if entries.is_empty() {
            output::line("no restore points")?;
        } else {
            print(&entries)?;
        }
        Ok(exit::OK)
    }
}

fn print(entries: &[Entry]) -> anyhow::Result<()> {
    output::line(&table(entries, Timestamp::now()).trim_fmt())?;
    for entry in entries {
        if let State::Incomplete { reason } = &entry.state {
            output::line(&format!("{}: {reason}", entry.name))?;
        }
    }
    let suspicions = suspicions(entries);
    if suspicions.is_empty() { Ok(()) } else { output::line(&suspicions.trim_fmt()) }
}

/// Why the suspect ones are.
fn suspicions(entries: &[Entry]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for manifest in entries.iter().filter_map(Entry::manifest) {
        let row = |suspicion: &Suspicion| [format!("{}:", manifest.name), suspicion.to_string()];
        table.add_rows(manifest.suspicions.iter().map(row));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, u16::from(index == 0)));
        if index == 0 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// At most 80 columns wide, so the creation time leaves the year to the name.
fn table(entries: &[Entry], now: Timestamp) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["seq", "name", "created UTC", "age", "size", "lineage", "state"]);
    for entry in entries {
        table.add_row(match &entry.state {
            State::Complete { manifest } => complete(manifest, now),
            State::Incomplete { .. } => ["-", entry.name.as_str(), "-", "-", "-", "-", "incomplete"].map(String::from),
        });
    }
    let last = table.column_count() - 1;
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, u16::from(index < last)));
        if [0, 3, 4].contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn complete(manifest: &Manifest, now: Timestamp) -> [String; 7] {
    [
        manifest.sequence.to_string(),
        manifest.name.to_string(),
        manifest.created_at.strftime("%m-%d %H:%M:%S").to_string(),
        output::age(manifest.current_at(), now),
        output::size(manifest.stored_bytes()),
        manifest.lineage.as_ref().map_or("none", Lineage::short).to_owned(),
        if manifest.is_suspect() { "suspect" } else { "complete" }.to_owned(),
    ]
}
