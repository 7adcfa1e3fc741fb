//! Text that others wrote, made fit for a terminal.

/// The text with its control characters escaped: what a manifest says must not move a cursor or forge a line.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() { printable.extend(char.escape_default()) } else { printable.push(char) }
    }
    printable
}
