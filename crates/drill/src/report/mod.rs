//! The report of a drill: for machines, for reading, and for the terminal. And the summary of several.

mod archive;
mod essence;
pub mod evidence;
mod facts;
mod figures;
pub mod history;
mod junit;
mod markdown;
mod page;
mod picture;
mod ranges;
mod raw;
mod schema;
mod summary;
mod table;

use std::fmt::Write as _;

pub use archive::Archive;
pub use essence::{Essence, Series, folder_name};
pub use facts::Facts;
pub use figures::{FIGURES, Figure, Spread};
pub(crate) use figures::{interval, seconds};
pub(crate) use page::document;
pub use schema::Report;
pub use summary::{Brief, Summary};
pub use table::{comparison, tables};

/// Joins lines to a text.
fn lines<T: std::fmt::Display>(lines: impl IntoIterator<Item = T>) -> String {
    lines.into_iter().fold(String::new(), |mut text, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
        text
    })
}
