//! Pages in Markdown, and what the tests need to know of them.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The books, by language.
pub const BOOKS: [&str; 2] = ["docs/en/src", "docs/fr/src"];

pub struct Page {
    /// Relative to the project.
    pub path: PathBuf,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A page of the project.
pub fn page(path: impl Into<PathBuf>) -> Page {
    let path = path.into();
    let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Page { path, text }
}

/// The chapters of a book.
pub fn chapters(book: &str) -> Vec<Page> {
    let entries = fs::read_dir(root().join(book)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"));
    names.sort();
    names.iter().map(|name| page(Path::new(book).join(name))).collect()
}

/// Every page that people read first, and every chapter.
pub fn pages() -> Vec<Page> {
    let names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "fuzz/README.md"];
    let chapters = BOOKS.iter().flat_map(|book| chapters(book));
    names.into_iter().map(page).chain(chapters).collect()
}

impl Page {
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES)
    }

    /// The targets of links and pictures.
    pub fn links(&self) -> Vec<String> {
        let target = |event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
            _ => None,
        };
        self.events().filter_map(target).collect()
    }

    /// What a link can lead to within the page, as mdBook and GitHub name it.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut heading: Option<String> = None;
        for event in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|text| anchor(&text))),
                Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| *heading += &text),
                _ => {}
            }
        }
        anchors
    }

    /// Blocks of code with their language, and code within sentences with none.
    pub fn code(&self) -> Vec<(Option<String>, String)> {
        let mut code = Vec::new();
        let mut block: Option<(Option<String>, String)> = None;
        for event in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some((Some(language.to_string()), String::new()));
                }
                Event::Text(text) => block.iter_mut().for_each(|(_, block)| *block += &text),
                Event::Code(text) => code.push((None, text.to_string())),
                Event::End(TagEnd::CodeBlock) => code.extend(block.take()),
                _ => {}
            }
        }
        code
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        letter if letter.is_alphanumeric() || letter == '_' || letter == '-' => Some(letter),
        letter if letter.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}
