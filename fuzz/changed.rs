// Included by the tests of the crates whose targets are here.

use proptest::prelude::*;

/// The seeds of a target, each with a few of its bytes changed, and some cut off.
pub(crate) fn changed(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let folder = format!("{}/../../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let seeds = std::fs::read_dir(&folder).unwrap().map(|seed| std::fs::read(seed.unwrap().path()).unwrap());
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let seed = prop::sample::select(seeds.collect::<Vec<_>>());
    (seed, edits, prop::option::of(any::<prop::sample::Index>())).prop_map(|(mut bytes, edits, end)| {
        edits.into_iter().for_each(|(at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        });
        bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len())));
        bytes
    })
}
