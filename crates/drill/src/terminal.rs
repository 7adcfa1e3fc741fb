//! Text on a terminal, as wide as that is.

use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};
use textwrap::{Options, WordSeparator, WordSplitter};

/// The width that a report has where there is no terminal.
const PAPER: usize = 80;

/// Breaks lines that do not fit between words, and indents what follows. Tables fit already, and where there is no terminal
/// programs may read lines.
pub(crate) fn wrapped(text: &str, stream: &impl AsFd) -> String {
    width(stream).map_or_else(|| text.to_owned(), |width| wrapped_to(text, width))
}

/// The same for a report, which is for people wherever it goes.
pub(crate) fn wrapped_report(text: &str, stream: &impl AsFd) -> String {
    wrapped_to(text, width(stream).unwrap_or(PAPER))
}

fn width(stream: &impl AsFd) -> Option<usize> {
    terminal_size_of(stream).map(|(Width(width), _)| width.into())
}

fn wrapped_to(text: &str, width: usize) -> String {
    let is_table = |line: &str| line.starts_with(|letter| ('─'..='╿').contains(&letter));
    let fold = |line: &str| {
        let indent = " ".repeat(line.len() - line.trim_start().len() + 4);
        // A path stays whole, so that it can be copied.
        let spaces = Options::new(width).word_separator(WordSeparator::AsciiSpace).break_words(false);
        textwrap::fill(line, spaces.word_splitter(WordSplitter::NoHyphenation).subsequent_indent(&indent))
    };
    let lines = text.lines().map(|line| if is_table(line) { line.to_owned() } else { fold(line) });
    lines.collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_tables_are_not() {
        assert_eq!(
            wrapped_to("  one two three four\n│ a │ wide │ table │", 14),
            "  one two\n      three\n      four\n│ a │ wide │ table │"
        );
        assert_eq!(wrapped_to("report: a/path-that-is-long", 14), "report:\n    a/path-that-is-long");
        assert_eq!(wrapped_to("short\n\nlines", 14), "short\n\nlines");
    }
}
