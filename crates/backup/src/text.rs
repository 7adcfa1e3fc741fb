//! Text that others wrote, made fit for a terminal: what a manifest, a store or a database says must not move a cursor, forge
//! a line or turn the order of letters around.

use std::fmt::Write as _;
use std::io::IsTerminal;

use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;

use crate::bounds;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// Follow NO_COLOR, CLICOLOR_FORCE and CLICOLOR; otherwise colour on a terminal
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// What the variables mean: <https://bixense.com/clicolors/>.
    pub fn is_wanted(self, stream: &impl IsTerminal) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let says_no = |name| std::env::var_os(name).is_some_and(|value| value == "0");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if is_set("NO_COLOR") => false,
            Self::Auto if is_set("CLICOLOR_FORCE") && !says_no("CLICOLOR_FORCE") => true,
            Self::Auto => stream.is_terminal() && !says_no("CLICOLOR"),
        }
    }
}

/// The text in one line, with what a terminal obeys or does not show escaped, and cut if nobody would read it to its end.
pub fn printable(text: &str) -> String {
    let end = text.char_indices().nth(bounds::LINE_LETTERS).map(|(end, _)| end);
    let shown = &text[..end.unwrap_or(text.len())];
    let mut line = escaped(shown, |_| false, |letter, printable| printable.extend(letter.escape_default()));
    line.extend(end.map(|_| '…'));
    line
}

/// The same, in the lines that it has.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |letter| letter == '\n', |letter, printable| printable.extend(letter.escape_default()))
}

/// JSON that says the same. Between its texts it has no such characters but ends of lines.
pub fn printable_json(json: &str) -> String {
    escaped(
        json,
        |letter| letter == '\n',
        |letter, printable| {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // To a string, this never fails.
                let _ = write!(printable, "\\u{unit:04x}");
            }
        },
    )
}

/// The message and the fields of a log record, in one line each.
pub fn log_fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    let field = |writer: &mut format::Writer<'_>, field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
        let text = printable(&format!("{value:?}"));
        if field.name() == "message" { write!(writer, "{text}") } else { write!(writer, "{}={text}", field.name()) }
    };
    format::debug_fn(field).delimited(" ")
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_obeyed(letter) && !is_kept(letter) { escape(letter, &mut printable) } else { printable.push(letter) }
    }
    printable
}

/// Whether it is no letter to look at: a control character of either set, or one of Unicode's that set the direction of text,
/// end lines or have no width.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\nb\u{9b}31m\u{202e}c\u{2028}\u{200b}é€\u{7f}";

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_letters_stay() {
        let expected = "a\\u{1b}[2J\\r\\nb\\u{9b}31m\\u{202e}c\\u{2028}\\u{200b}é€\\u{7f}";
        assert_eq!(printable(HOSTILE), expected);
        assert_eq!(printable(expected), expected, "twice is once");
        assert_eq!(printable_lines("a\nb\r"), "a\nb\\r");
        let long = "é".repeat(bounds::LINE_LETTERS);
        assert_eq!((printable(&long), printable(&format!("{long}é"))), (long.clone(), format!("{long}…")));
    }

    #[test]
    fn escaped_json_says_the_same() {
        let json = serde_json::to_string_pretty(&[HOSTILE, "\u{e0041}"]).unwrap();
        let escaped = printable_json(&json);
        assert_eq!(serde_json::from_str::<[String; 2]>(&escaped).unwrap(), [HOSTILE, "\u{e0041}"]);
        assert!(!escaped.chars().any(|letter| is_obeyed(letter) && letter != '\n'), "{escaped:?}");
    }
}
