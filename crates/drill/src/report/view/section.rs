//! A part of a report that every renderer can lay out: a heading, a table, and what there is to say of it.

/// A part of a report.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub heading: String,
    /// Said before the table.
    pub lead: Vec<String>,
    pub table: Option<Table>,
    /// Said after it.
    pub notes: Vec<String>,
    pub place: Place,
}

/// How much a section matters to whoever has little room or little time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Shown by all.
    #[default]
    Everywhere,
    /// As [`Place::Everywhere`], but the page draws it.
    DrawnOnPage,
    /// Too wide for a terminal, which shows its notes.
    OnPaper,
    /// Raw: folded on the page, and not in a terminal.
    Folded,
}

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// A column: its heading and what its cells are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column(pub &'static str, pub Kind);

impl Column {
    pub(crate) const fn text(heading: &'static str) -> Self {
        Self(heading, Kind::Text)
    }

    pub(crate) const fn number(heading: &'static str) -> Self {
        Self(heading, Kind::Number)
    }

    pub(crate) const fn code(heading: &'static str) -> Self {
        Self(heading, Kind::Code)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    /// A name, to be shown as it is typed.
    Code,
}

/// A row of a table.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub cells: Vec<String>,
    /// What makes it differ from its neighbours.
    pub mark: Mark,
    /// The folder of the report that its first cell names.
    pub folder: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    #[default]
    None,
    /// The one that counts.
    Chosen,
    /// One that was no good.
    Rejected,
    /// Nothing happened of this kind: a terminal leaves it out.
    Idle,
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [Column; N], rows: impl IntoIterator<Item = Row>) -> Self {
        Self { columns: columns.into(), rows: rows.into_iter().collect() }
    }

    /// Two columns: what, and how much or what of it.
    pub(crate) fn facts(kind: Kind, rows: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let rows = rows.into_iter().map(|(what, value)| Row::from([what.to_owned(), value]));
        Self::new([Column::text(""), Column("", kind)], rows)
    }

    /// Whether its columns have headings.
    pub(crate) fn has_head(&self) -> bool {
        self.columns.iter().any(|Column(heading, _)| !heading.is_empty())
    }
}

impl<const N: usize> From<[String; N]> for Row {
    fn from(cells: [String; N]) -> Self {
        Self { cells: cells.into(), ..Self::default() }
    }
}
