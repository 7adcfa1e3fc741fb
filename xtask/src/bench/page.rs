//! The part of docs/performance.md that the bench writes; the rest is left as it is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const BEGIN: &str = "<!-- written by cargo xtask bench: begin -->";
const END: &str = "<!-- written by cargo xtask bench: end -->";

/// Puts the text in the place of what an earlier bench wrote, or behind all there is.
pub fn write(page: &Path, text: &str) -> Result<()> {
    let there = if page.exists() { fs::read_to_string(page)? } else { "# Performance\n".to_owned() };
    fs::write(page, replaced(&there, text)).with_context(|| format!("cannot write {}", page.display()))
}

fn replaced(there: &str, text: &str) -> String {
    let part = format!("{BEGIN}\n\n{}\n\n{END}", text.trim());
    match there.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1))) {
        Some((before, after)) => format!("{before}{part}{after}"),
        None => format!("{}\n\n{part}\n", there.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_bench_wrote_is_replaced() {
        let first = replaced("# Performance\n\nWords.\n", "old");
        assert_eq!(first, format!("# Performance\n\nWords.\n\n{BEGIN}\n\nold\n\n{END}\n"));
        let with_more = format!("{first}\nMore words.\n");
        assert_eq!(replaced(&with_more, "new"), with_more.replace("old", "new"));
    }
}
