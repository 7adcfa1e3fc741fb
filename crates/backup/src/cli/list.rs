use std::collections::BTreeMap;

use backup::remote::head;
use backup::verify::{Checked, Verdict};
use backup::{Entry, Identity, Manifest, Source, State, clock, exit, said, text};
use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};
use jiff::Timestamp;
use serde::Serialize;

use super::keys::{IdentityArgs, VerifyArgs};
use super::remote::{HeadArgs, InsteadArg, as_of};
use super::{RepositoryArg, output};

/// Columns of a terminal that everybody has.
const WIDTH: u16 = 80;

/// List restore points, oldest first, from their manifests only
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    remote: InsteadArg,
    /// With --remote: show the repository as it was at this time, such as 2026-11-22T18:09:35Z; needs a bucket with
    /// versioning
    #[arg(long, value_name = "TIME", value_parser = said::time, requires = "remote")]
    as_of: Option<Timestamp>,
    #[command(flatten)]
    verify: VerifyArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    head: HeadArgs,
}

impl List {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let keys = self.verify.read()?;
        let repository = self.repository.open();
        let Some(remote) = self.remote.open(None)? else {
            let entries = repository.believing(keys).entries()?;
            show(&entries, &entries, json)?;
            return Ok(exit::OK);
        };
        let remote = as_of(remote.believing(keys).reading(self.identity.read()?), self.as_of)?;
        let remembered = head::remembered(&repository, &remote.url());
        let listed = remote.list(remembered.as_ref(), self.head.expected().as_ref())?;
        let entries: Vec<Entry> = listed.entries.iter().map(|listed| listed.entry.clone()).collect();
        show(&entries, &listed.entries, json)?;
        if !json {
            listed.head.iter().try_for_each(|head| output::line(&format!("head {head}")))?;
        }
        listed.doubt.map_or(Ok(exit::OK), |doubt| Err(doubt.into()))
    }
}

fn show(entries: &[Entry], all: &impl Serialize, json: bool) -> anyhow::Result<()> {
    match entries {
        _ if json => output::json(all),
        [] => output::line("no restore points"),
        entries => print(entries),
    }
}

fn print(entries: &[Entry]) -> anyhow::Result<()> {
    output::table(&table(entries, Timestamp::now()))?;
    for entry in entries {
        if let State::Incomplete { reason } = &entry.state {
            output::line(&format!("{}: {reason}", entry.name))?;
        }
    }
    let remarks = remarks(entries, Timestamp::now());
    if remarks.is_empty() { Ok(()) } else { output::table(&remarks) }
}

/// What there is to say of some, and where those without a lineage are from.
fn remarks(entries: &[Entry], now: Timestamp) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    let manifests = || entries.iter().filter_map(Entry::manifest);
    for manifest in manifests() {
        table.add_rows(
            remarks_on(manifest, now)
                .into_iter()
                .map(|remark| [format!("{}:", manifest.name), text::printable(&remark)]),
        );
    }
    // What was last seen of each.
    let sources = manifests().filter_map(|manifest| Some((manifest.identity(), manifest.source.as_ref()?)));
    let sources: BTreeMap<Identity, &Source> = sources.filter(|(_, source)| source.id.is_some()).collect();
    table.add_rows(sources.iter().map(|(identity, source)| [format!("{}:", identity.short()), source.label()]));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, u16::from(index == 0)));
        if index == 0 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

fn remarks_on(manifest: &Manifest, now: Timestamp) -> Vec<String> {
    let mut remarks: Vec<String> = manifest.suspicions.iter().map(ToString::to_string).collect();
    if let Some(at) = manifest.trusted_at.filter(|_| !remarks.is_empty()) {
        remarks.push(format!("marked as trusted at {at:.0}"));
    }
    remarks.extend(manifest.checked.as_ref().and_then(Checked::warning));
    if clock::is_ahead(manifest.created_at, now) {
        remarks.push(format!("dated {:.0}, in the future: the clock was wrong then, or is now", manifest.created_at));
    }
    remarks
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
        age(manifest.current_at(now), now),
        output::size(manifest.stored_bytes()),
        manifest.identity().short().to_owned(),
        state(manifest).to_owned(),
    ]
}

/// No age is true of what lies in the future.
fn age(then: Timestamp, now: Timestamp) -> String {
    if clock::is_ahead(then, now) { "?".to_owned() } else { output::age(then, now) }
}

/// In one word, the worst first.
fn state(manifest: &Manifest) -> &'static str {
    match manifest.checked.as_ref().map(|checked| checked.verdict) {
        _ if manifest.is_suspect() => "suspect",
        Some(Verdict::Inconsistent) => "inconsistent",
        Some(Verdict::CannotCheck) => "unchecked",
        Some(Verdict::Sound) | None => "complete",
    }
}
