//! The part of a page that a measurement writes; the rest is left as it is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Puts the text in the place of what an earlier run of the subcommand wrote, or behind all there is.
pub fn write(subcommand: &str, page: &Path, text: &str) -> Result<()> {
    let there = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    fs::write(page, replaced(subcommand, &there, text)).with_context(|| format!("cannot write {}", page.display()))
}

fn replaced(subcommand: &str, there: &str, text: &str) -> String {
    let [begin, end] = ["begin", "end"].map(|what| format!("<!-- written by cargo {subcommand}: {what} -->"));
    let part = format!("{begin}\n\n{}\n\n{end}", text.trim());
    match there.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1))) {
        Some((before, after)) => format!("{before}{part}{after}"),
        None => format!("{}\n\n{part}\n", there.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_subcommand_wrote_is_replaced() {
        let first = replaced("speed", "# Performance\n\nWords.\n", "old");
        let [begin, end] = ["begin", "end"].map(|what| format!("<!-- written by cargo speed: {what} -->"));
        assert_eq!(first, format!("# Performance\n\nWords.\n\n{begin}\n\nold\n\n{end}\n"));
        let with_more = format!("{first}\nMore words.\n");
        assert_eq!(replaced("speed", &with_more, "new"), with_more.replace("old", "new"));
        assert_eq!(
            replaced("versus", &first, "more"),
            format!("{first}\n{}", replaced("versus", "", "more").trim_start())
        );
    }
}
