//! Pages of messages, read in pieces: no page is ever held in memory as a whole, and no transaction stays open while a
//! slow client reads.
//!
//! What a page promises: messages by falling id, no more than its limit and none twice; all that were there when it was begun,
//! unless they are deleted before their turn comes; and none that came later. Whatever fails midway ends the answer without the
//! bracket that closes it.

use std::borrow::Cow;
use std::io::Write;
use std::ops::ControlFlow;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params_from_iter};

use super::{Message, Page, Position};
use crate::bounds::MESSAGE_BYTES_AT_ONCE;

/// What is left of a page.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    /// The ids between which it lies, both included.
    newest: i64,
    oldest: i64,
    limit: i64,
    is_begun: bool,
    /// The message in the middle of which the last piece ended.
    open: Option<Open>,
}

/// A message of which a part was read.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: i64,
    /// How many bytes of it.
    read: usize,
}

/// The beginning of a message, or all of it.
struct Row<'a> {
    id: i64,
    timestamp: Cow<'a, str>,
    bytes: &'a [u8],
    is_whole: bool,
}

/// Each goes along the key and sorts nothing. What is sorted would not fit into memory if messages are long, and there may be
/// no place for a temporary file.
const ROWS: &str = "SELECT id, timestamp, message FROM message WHERE id <= ?1 AND id >= ?3 ORDER BY id DESC LIMIT ?2";
const ROWS_DOWN: &str = "SELECT id, timestamp, message FROM message WHERE id <= ?1 ORDER BY id DESC LIMIT ?2";
const NEWEST_AFTER: &str = "SELECT max(id) FROM (SELECT id FROM message WHERE id > ?1 ORDER BY id LIMIT ?2)";

/// The first row of [`ROWS`] without what is too long to be read at once.
const LONG_ROW: &str = "SELECT id, CASE WHEN octet_length(timestamp) <= ?3 THEN timestamp ELSE '' END FROM message
     WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";

impl Rest {
    /// All of a page; `None` if there is none.
    pub(crate) fn of(connection: &Connection, page: Page) -> rusqlite::Result<Option<Self>> {
        let (oldest, newest) = match page.position {
            Position::Newest => (i64::MIN, Some(i64::MAX)),
            Position::Before(id) => (i64::MIN, id.checked_sub(1)),
            Position::After(id) => {
                let mut newest = connection.prepare_cached(NEWEST_AFTER)?;
                (id.saturating_add(1), newest.query_row((id, page.limit), |row| row.get(0))?)
            }
        };
        Ok(newest.map(|newest| Self { newest, oldest, limit: page.limit, is_begun: false, open: None }))
    }

    /// Visits rows until there is none or one is enough.
    fn for_each(
        &mut self,
        connection: &Connection,
        mut visit: impl FnMut(&mut Self, Row<'_>) -> ControlFlow<()>,
    ) -> rusqlite::Result<()> {
        while self.limit > 0 {
            let bounds = [self.newest, self.limit, self.oldest];
            // A comparison less for each row, where there is nothing to compare with.
            let (sql, bounds) = if self.oldest == i64::MIN { (ROWS_DOWN, &bounds[..2]) } else { (ROWS, &bounds[..]) };
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params_from_iter(bounds))?;
            let too_long = loop {
                let row = match rows.next() {
                    Ok(None) => break false,
                    Ok(Some(row)) => row,
                    Err(error) if error.sqlite_error_code() == Some(ErrorCode::TooBig) => break true,
                    Err(error) => return Err(error),
                };
                let (timestamp, bytes) = (row.get_ref(1)?.as_bytes()?, row.get_ref(2)?.as_bytes()?);
                let length = bytes.len().min(MESSAGE_BYTES_AT_ONCE);
                let timestamp = text(&timestamp[..timestamp.len().min(MESSAGE_BYTES_AT_ONCE)]);
                let is_whole = length == bytes.len();
                let row = Row { id: row.get(0)?, timestamp, bytes: &bytes[..length], is_whole };
                if self.pass(row, &mut visit).is_break() {
                    return Ok(());
                }
            };
            drop(rows);
            if !too_long || self.visit_long(connection, &mut visit)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Visits the first row, which holds something too long to be read at once.
    fn visit_long(
        &mut self,
        connection: &Connection,
        visit: &mut impl FnMut(&mut Self, Row<'_>) -> ControlFlow<()>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let mut first = connection.prepare_cached(LONG_ROW)?;
        let bound = (self.oldest, self.newest, MESSAGE_BYTES_AT_ONCE as i64);
        let found = first.query_row(bound, |row| Ok((row.get(0)?, row.get_ref(1)?.as_bytes()?.to_vec()))).optional()?;
        let Some((id, timestamp)): Option<(i64, Vec<u8>)> = found else { return Ok(ControlFlow::Continue(())) };
        let (bytes, length) = read_part(connection, Open { id, read: 0 })?;
        let row =
            Row { id, timestamp: String::from_utf8_lossy(&timestamp), bytes: &bytes, is_whole: bytes.len() == length };
        Ok(self.pass(row, visit))
    }

    fn pass(&mut self, row: Row<'_>, visit: &mut impl FnMut(&mut Self, Row<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        self.limit -= 1;
        match row.id.checked_sub(1) {
            Some(newest) => self.newest = newest,
            None => self.limit = 0,
        }
        visit(self, row)
    }
}

/// A whole page, of each message no more than is read at once.
pub(super) fn beginnings(connection: &Connection, page: Page) -> rusqlite::Result<Vec<Message>> {
    let mut messages = Vec::new();
    if let Some(mut rest) = Rest::of(connection, page)? {
        rest.for_each(connection, |_, Row { id, timestamp, bytes, .. }| {
            let message = String::from_utf8_lossy(bytes).into_owned();
            messages.push(Message { id, timestamp: timestamp.into_owned(), message });
            ControlFlow::Continue(())
        })?;
    }
    Ok(messages)
}

/// The next piece of a page as an array in JSON, of about so many bytes, and what is left of it. Written straight from SQLite's
/// memory: two strings for each message were an eighth of a request.
pub(super) fn piece(
    connection: &Connection,
    rest: Option<Rest>,
    bytes: usize,
) -> rusqlite::Result<(Vec<u8>, Option<Rest>)> {
    let Some(mut rest) = rest else { return Ok((b"[]".to_vec(), None)) };
    let mut json = Vec::with_capacity(bytes / 2);
    if !rest.is_begun {
        json.push(b'[');
    }
    loop {
        while let Some(open) = rest.open {
            if json.len() >= bytes {
                return Ok((json, Some(rest)));
            }
            rest.open = go_on(connection, open, &mut json)?;
        }
        if rest.limit == 0 {
            json.push(b']');
            return Ok((json, None));
        }
        let mut is_last = true;
        rest.for_each(connection, |rest, row| {
            append(rest, &row, &mut json);
            if rest.open.is_none() && json.len() < bytes {
                return ControlFlow::Continue(());
            }
            is_last = false;
            ControlFlow::Break(())
        })?;
        if is_last {
            rest.limit = 0;
        } else if rest.open.is_none() {
            return Ok((json, Some(rest)));
        }
    }
}

fn append(rest: &mut Rest, row: &Row<'_>, json: &mut Vec<u8>) {
    if rest.is_begun {
        json.push(b',');
    }
    rest.is_begun = true;
    let Row { id, timestamp, bytes, is_whole } = row;
    if *is_whole {
        let message = text(bytes);
        let written =
            serde_json::to_writer(json, &Message { id: *id, timestamp: timestamp.as_ref(), message: &*message });
        return written.expect("memory takes what is written, and text is always JSON");
    }
    write!(json, "{{\"id\":{id},\"timestamp\":\"").expect("memory takes what is written");
    escape(timestamp, json);
    json.extend_from_slice(b"\",\"message\":\"");
    let length = whole_characters(bytes);
    escape(&String::from_utf8_lossy(&bytes[..length]), json);
    rest.open = Some(Open { id: *id, read: length });
}

/// Appends more of a message; gives what is left of it.
fn go_on(connection: &Connection, open: Open, json: &mut Vec<u8>) -> rusqlite::Result<Option<Open>> {
    let (bytes, length) = read_part(connection, open)?;
    let is_last = open.read + bytes.len() >= length;
    let taken = if is_last { bytes.len() } else { whole_characters(&bytes) };
    escape(&String::from_utf8_lossy(&bytes[..taken]), json);
    if is_last {
        json.extend_from_slice(b"\"}");
        return Ok(None);
    }
    Ok(Some(Open { id: open.id, read: open.read + taken }))
}

/// The next bytes of a message, and how many it has in all.
fn read_part(connection: &Connection, Open { id, read }: Open) -> rusqlite::Result<(Vec<u8>, usize)> {
    let message = connection.blob_open("main", "message", "message", id, true)?;
    let mut bytes = vec![0; message.len().saturating_sub(read).min(MESSAGE_BYTES_AT_ONCE)];
    message.read_at_exact(&mut bytes, read)?;
    Ok((bytes, message.len()))
}

/// Text as it is, and anything else that another program may have put there as well as it goes: one odd row must not make a
/// whole page unreadable. To look first whether it is text is several times faster.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// How many bytes there are without a character at the end that lacks some of its own.
fn whole_characters(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    let Some(last) = bytes[from..].iter().rposition(|byte| *byte >= 0xC0).map(|at| from + at) else {
        return bytes.len();
    };
    let needed = match bytes[last] {
        0xF0.. => 4,
        0xE0.. => 3,
        _ => 2,
    };
    if bytes.len() - last < needed { last } else { bytes.len() }
}

/// Appends a text as it stands between the quotes of a string in JSON.
fn escape(text: &str, json: &mut Vec<u8>) {
    let start = json.len();
    serde_json::to_writer(&mut *json, text).expect("memory takes what is written, and text is always JSON");
    json.remove(start);
    json.pop();
}

#[cfg(test)]
mod tests {
    use rusqlite::OpenFlags;

    use super::*;
    use crate::bounds::PIECE_BYTES;
    use crate::store::readers;
    use crate::store::{connect, schema};

    fn database() -> (tempfile::TempDir, Connection, Connection) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        schema::prepare(&path).unwrap();
        let writer = Connection::open(&path).unwrap();
        let reader = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        readers::bound(&reader).unwrap();
        (directory, writer, reader)
    }

    fn add(connection: &Connection, message: &[u8]) {
        let insert = "INSERT INTO message (timestamp, message) VALUES ('now', CAST(?1 AS TEXT))";
        connection.execute(insert, [message]).unwrap();
    }

    /// All pieces of a page.
    fn pieces(connection: &Connection, position: Position, limit: i64) -> Vec<Vec<u8>> {
        let rest = Rest::of(connection, Page { position, limit }).unwrap();
        let (first, mut rest) = piece(connection, rest, PIECE_BYTES).unwrap();
        let mut pieces = vec![first];
        while rest.is_some() {
            let (next, after) = piece(connection, rest, PIECE_BYTES).unwrap();
            pieces.push(next);
            rest = after;
        }
        pieces
    }

    #[test]
    fn no_page_needs_a_place_to_sort() {
        let (_directory, _, connection) = database();
        for sql in [ROWS, ROWS_DOWN, NEWEST_AFTER, LONG_ROW] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = vec![1; plan.parameter_count()];
            let steps = plan.query_map(params_from_iter(parameters), |row| row.get("detail")).unwrap();
            let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
            assert!(!steps.is_empty() && !steps.iter().any(|step| step.contains("TEMP")), "{sql}: {steps:?}");
        }
    }

    #[test]
    fn pieces_are_small_however_long_messages_are_and_make_the_whole_page() {
        let (_directory, writer, reader) = database();
        let long = |text: &str, bytes: usize| text.repeat(bytes / text.len());
        let messages = [
            "short".to_owned(),
            long("é", 4096),
            long("\u{1}", 4096),
            long("a€", MESSAGE_BYTES_AT_ONCE + 7),
            long("😀\"", 100_000),
            long("x", readers::VALUE_BYTES_MAX as usize + 1),
            long("a😀", 3 * readers::VALUE_BYTES_MAX as usize),
            "last".to_owned(),
        ];
        messages.iter().for_each(|message| add(&writer, message.as_bytes()));
        for (position, limit, expected) in [
            (Position::Newest, 1000, 0..8),
            (Position::Newest, 2, 6..8),
            (Position::Before(7), 3, 3..6),
            (Position::After(0), 4, 0..4),
            (Position::After(7), 4, 7..8),
            (Position::After(8), 4, 8..8),
            (Position::After(i64::MAX), 4, 8..8),
            (Position::Before(0), 4, 0..0),
        ] {
            let pieces = pieces(&reader, position, limit);
            // What is in a piece before the message that fills it, and that: each byte takes six at most.
            let bound = PIECE_BYTES + 6 * MESSAGE_BYTES_AT_ONCE + 200;
            assert!(pieces.iter().all(|piece| piece.len() <= bound), "{position:?}");
            let found: Vec<serde_json::Value> = serde_json::from_slice(&pieces.concat()).unwrap();
            let found: Vec<&str> = found.iter().map(|message| message["message"].as_str().unwrap()).collect();
            let expected: Vec<&str> = messages[expected].iter().rev().map(String::as_str).collect();
            assert!(found == expected, "{position:?}: {} messages, expected {}", found.len(), expected.len());
        }
        let beginnings = beginnings(&reader, Page { position: Position::Newest, limit: 10 }).unwrap();
        assert_eq!(beginnings.len(), 8);
        assert!(beginnings.iter().all(|message| message.message.len() <= MESSAGE_BYTES_AT_ONCE + 2));
    }

    #[test]
    fn what_is_no_text_is_shown_as_well_as_it_goes() {
        let (_directory, writer, reader) = database();
        writer.execute("INSERT INTO message (timestamp, message) VALUES (zeroblob(3000000), x'ff')", []).unwrap();
        add(&writer, &[0xC3; 3 * MESSAGE_BYTES_AT_ONCE]);
        let found: Vec<serde_json::Value> =
            serde_json::from_slice(&pieces(&reader, Position::Newest, 9).concat()).unwrap();
        assert_eq!((&found[1]["timestamp"], &found[1]["message"]), (&"".into(), &"\u{fffd}".into()));
        assert!(found[0]["message"].as_str().unwrap().chars().all(|character| character == '\u{fffd}'));
    }

    #[test]
    fn a_page_has_what_was_there_when_it_was_begun_and_nothing_that_came_later() {
        let (_directory, writer, reader) = database();
        (0..100).for_each(|_| add(&writer, "m".repeat(4096).as_bytes()));
        for (position, expected) in [(Position::Newest, 1..=100), (Position::After(0), 1..=100)] {
            let rest = Rest::of(&reader, Page { position, limit: 1000 }).unwrap();
            let (mut json, mut rest) = piece(&reader, rest, PIECE_BYTES).unwrap();
            add(&writer, b"later");
            writer.execute("DELETE FROM message WHERE id IN (50, 100)", []).unwrap();
            while let Some(left) = rest {
                let (next, after) = piece(&reader, Some(left), PIECE_BYTES).unwrap();
                json.extend(next);
                rest = after;
            }
            let found: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
            let found: Vec<i64> = found.iter().map(|message| message["id"].as_i64().unwrap()).collect();
            let mut expected: Vec<i64> = expected.rev().collect();
            if found[0] > 100 {
                // The second page was begun after it.
                expected.insert(0, found[0]);
                expected.retain(|id| *id != 100);
            }
            expected.retain(|id| *id != 50);
            assert_eq!(found, expected, "{position:?}");
        }
    }
}
