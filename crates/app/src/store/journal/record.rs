//! The bytes of a journal file: frames, the first a header, each other a group. Pure; it touches no file.
//!
//! A frame is the length of its payload (4 bytes, little endian), the first 16 bytes of the payload's BLAKE3, and the
//! payload. That of a header is JSON, so that a person can read what a file is; that of a group is
//! `epoch, number, time, rows` and for each row `id, timestamp, message`, numbers in 8 bytes and texts behind their length.

use serde::{Deserialize, Serialize};

use crate::store::Message;

/// The version of this format, and the only one that is read.
pub(super) const FORMAT: u32 = 1;

/// The longest payload. A group is at most 512 messages of 4 KiB and their ids and timestamps, which is 2.2 MB: whatever
/// claims to be longer is damaged, and no memory is spent on it.
pub(super) const PAYLOAD_MAX: usize = 4 * 1024 * 1024;

const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 16;
const FRAME_BYTES: usize = LENGTH_BYTES + CHECKSUM_BYTES;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Always [`FORMAT`].
    pub format: u32,
    pub lineage: String,
    /// The number of its first group. Greater than any in an older file.
    pub first: i64,
    /// The group that its first one comes after. `None` where no group leads here: what was stored before was not
    /// journaled, and is in the restore points that hold this file's first group.
    pub after: Option<i64>,
    /// The database file whose processes write it.
    pub instance: String,
    /// When it was begun: UTC, for people.
    pub begun_at: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// One more than that of the group before, in one file.
    pub number: i64,
    /// When it was written, in microseconds since 1970. Never less than that of the group before, whatever the clock does.
    pub time: i64,
    pub rows: Vec<Message>,
}

/// What is at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A payload that is what it was, and the place after it.
    Whole(&'a [u8], usize),
    /// Nothing but zeros to the end of the file, or the end itself.
    End,
    /// Neither.
    Broken,
}

pub(super) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES + payload.len());
    // A payload is shorter than PAYLOAD_MAX, see Group::encode.
    bytes.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(&checksum(payload));
    bytes.extend(payload);
    bytes
}

/// Reads the frame that begins at a place.
pub(super) fn read_frame(bytes: &[u8], at: usize) -> Frame<'_> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.iter().all(|byte| *byte == 0) {
        return Frame::End;
    }
    match whole(rest) {
        Some(payload) => Frame::Whole(payload, at + FRAME_BYTES + payload.len()),
        None => Frame::Broken,
    }
}

fn whole(rest: &[u8]) -> Option<&[u8]> {
    let payload = payload(rest)?;
    (checksum(payload) == rest[LENGTH_BYTES..FRAME_BYTES]).then_some(payload)
}

fn payload(rest: &[u8]) -> Option<&[u8]> {
    let length = rest.first_chunk().map(|length| u32::from_le_bytes(*length))?;
    let length = usize::try_from(length).ok().filter(|length| (1..=PAYLOAD_MAX).contains(length))?;
    rest.get(FRAME_BYTES..FRAME_BYTES + length)
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&blake3::hash(payload).as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

/// The number of a whole group of this epoch somewhere after a place, where the bytes at that place make no sense. There
/// is none after a write that was cut off: what is written next is acknowledged only after what was written before.
pub(super) fn group_after(bytes: &[u8], at: usize, epoch: i64) -> Option<i64> {
    (at + 1..bytes.len()).find_map(|at| {
        // The checksum last: it costs most.
        let group = payload(&bytes[at..]).filter(|payload| payload.starts_with(&epoch.to_le_bytes()))?;
        whole(&bytes[at..]).and_then(|_| Group::decode(group, epoch)).map(|group| group.number)
    })
}

impl Group {
    /// The payload of a group.
    pub(super) fn encode(&self, epoch: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let rows = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        for number in [epoch, self.number, self.time, rows] {
            bytes.extend(number.to_le_bytes());
        }
        for Message { id, timestamp, message } in &self.rows {
            bytes.extend(id.to_le_bytes());
            for text in [timestamp, message] {
                bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
        }
        bytes
    }

    /// Reads the payload of a group; `None` if it is none, or one of another epoch.
    pub(super) fn decode(payload: &[u8], epoch: i64) -> Option<Self> {
        let mut reader = Reader(payload);
        if reader.number()? != epoch {
            return None;
        }
        let (number, time, rows) = (reader.number()?, reader.number()?, reader.number()?);
        let rows = (0..rows)
            .map(|_| Some(Message { id: reader.number()?, timestamp: reader.text()?, message: reader.text()? }));
        let rows = rows.collect::<Option<_>>()?;
        reader.0.is_empty().then_some(Self { number, time, rows })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<i64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i64::from_le_bytes(*number))
    }

    fn text(&mut self) -> Option<String> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: i64 = 7;

    fn group() -> impl Strategy<Value = Group> {
        let row = (any::<i64>(), ".{0,30}", ".{0,60}");
        let rows = proptest::collection::vec(row, 0..5);
        (any::<i64>(), any::<i64>(), rows).prop_map(|(number, time, rows)| {
            let rows = rows.into_iter().map(|(id, timestamp, message)| Message { id, timestamp, message }).collect();
            Group { number, time, rows }
        })
    }

    fn read(bytes: &[u8], at: usize) -> Option<(Group, usize)> {
        match read_frame(bytes, at) {
            Frame::Whole(payload, next) => Some((Group::decode(payload, EPOCH)?, next)),
            Frame::End | Frame::Broken => None,
        }
    }

    proptest! {
        #[test]
        fn a_group_survives_a_round_trip(group in group(), zeros in 0usize..100) {
            let mut bytes = frame(&group.encode(EPOCH));
            let length = bytes.len();
            bytes.resize(length + zeros, 0);
            prop_assert_eq!(read(&bytes, 0), Some((group.clone(), length)));
            prop_assert_eq!(read_frame(&bytes, length), Frame::End);
            prop_assert_eq!(Group::decode(&group.encode(EPOCH), EPOCH + 1), None);
        }

        #[test]
        fn a_group_that_was_cut_off_at_any_length_is_none(one in group(), two in group(), garbage in ".{0,30}") {
            let one = frame(&one.encode(EPOCH));
            let two = frame(&two.encode(EPOCH));
            for length in 0..two.len() {
                let mut bytes = [&one[..], &two[..length]].concat();
                prop_assert_eq!(read(&bytes, one.len()), None);
                bytes.extend(garbage.as_bytes());
                // Unless it happens to be the rest.
                if bytes[one.len()..].starts_with(&two) {
                    continue;
                }
                prop_assert_eq!(read(&bytes, one.len()), None);
                prop_assert_eq!(group_after(&bytes, one.len(), EPOCH), None);
            }
        }

        #[test]
        fn a_flipped_bit_is_found_and_does_not_hide_what_follows(one in group(), two in group(), bit in any::<usize>()) {
            let number = two.number;
            let mut bytes = frame(&one.encode(EPOCH));
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes.extend(frame(&two.encode(EPOCH)));
            prop_assert_eq!(read(&bytes, 0), None);
            prop_assert_eq!(group_after(&bytes, 0, EPOCH), Some(number));
            prop_assert_eq!(group_after(&bytes, 0, EPOCH + 1), None);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..250) {
            let _ = (read_frame(&bytes, at), group_after(&bytes, at, EPOCH), Group::decode(&bytes, EPOCH));
        }
    }

    #[test]
    fn no_memory_is_spent_on_what_claims_to_be_long() {
        let mut bytes = frame(b"x");
        bytes[..LENGTH_BYTES].copy_from_slice(&100_000_000u32.to_le_bytes());
        assert_eq!(read_frame(&bytes, 0), Frame::Broken);
    }
}
