//! The report of a drill: for machines, for reading, and for the terminal. And the summary of several.

mod archive;
mod essence;
pub(crate) mod evidence;
mod facts;
mod figures;
pub(crate) mod history;
mod junit;
mod markdown;
mod page;
mod picture;
mod ranges;
mod raw;
mod schema;
mod summary;
mod table;
mod tally;
mod view;

use std::fmt::Write as _;

pub(crate) use archive::Archive;
pub(crate) use essence::{Essence, Series, folder_name};
pub(crate) use facts::Facts;
pub(crate) use figures::{FIGURES, Figure};
pub(crate) use page::{document, table as html_table};
pub(crate) use schema::Report;
pub(crate) use summary::{Brief, Summary};
pub(crate) use table::{comparison, tables};
pub(crate) use tally::Tally;

/// Joins lines to a text.
fn lines<T: std::fmt::Display>(lines: impl IntoIterator<Item = T>) -> String {
    lines.into_iter().fold(String::new(), |mut text, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
        text
    })
}
