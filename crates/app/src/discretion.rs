//! Keeps paths of this machine out of responses. The log contains them.

/// A text in which each absolute path is only the name of its file.
pub(crate) fn without_directories(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    // What ends a path in our messages, and those of SQLite and the kernel.
    for word in text.split_inclusive([' ', '"', '\'', '`', ',', ';', ':', '(', ')', '\n']) {
        kept.push_str(if word.starts_with('/') { after_last_slash(word) } else { word });
    }
    kept
}

fn after_last_slash(word: &str) -> &str {
    let path = word.trim_end_matches(|last: char| !last.is_alphanumeric());
    path.rfind('/').map_or(word, |slash| &word[slash + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_files_are_left_of_paths() {
        for (text, expected) in [
            ("/data/app.db was deleted while it was open", "app.db was deleted while it was open"),
            ("cannot open \"/data/app.db\": no such file", "cannot open \"app.db\": no such file"),
            (
                "no restore point in /backup: gone (/backup/x/), 3 and/or 4",
                "no restore point in backup: gone (x/), 3 and/or 4",
            ),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(without_directories(text), expected);
        }
    }
}
