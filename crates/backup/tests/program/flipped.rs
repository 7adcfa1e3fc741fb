//! Flipped bits and cuts in each region of the files of a restore point.

use std::fs;

use backup::restore::{self, Choice};
use backup::verify::{self, Check};
use backup::{Entry, Manifest};

use crate::stage::{Stage, ids, insert, up_to};

/// Two restore points, of five rows and of nine, and the newer one.
fn two(compress: &[&str]) -> (Stage, Manifest) {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 4);
    stage.run(&[&["take"], compress].concat()).expect(0);
    drop(connection);
    stage.lose_database();
    let newest = stage.repository.newest(None).unwrap().unwrap();
    (stage, newest)
}

/// What a restore gives: the number of rows.
fn restored(stage: &Stage) -> i64 {
    let database = stage.database.clone();
    let request = restore::Request {
        database,
        choice: Choice::Latest,
        lineage: None,
        source_name: None,
        force: false,
        check: Some(Check::Quick),
    };
    restore::run(&stage.repository, &request, &mut |_| {}).unwrap();
    let rows = ids(&stage.database);
    stage.lose_database();
    assert_eq!(rows, up_to(rows.len() as i64));
    rows.len() as i64
}

#[test]
fn each_flipped_bit_and_each_cut_of_a_stored_file_is_found() {
    for compress in [&[][..], &["--compress"]] {
        let (stage, point) = two(compress);
        let path = stage.repository.stored_file(&point);
        let whole = fs::read(&path).unwrap();
        // All of the header and of the tail, and some of each page.
        let ends = (0..100).chain(whole.len() - 100..whole.len());
        let positions = ends.chain((100..whole.len() - 100).step_by(211));
        let flipped = positions.map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let cuts = [0, 1, 15, 16, 99, 100, 511, 4095, 4096, 4097, whole.len() / 2, whole.len() - 4096, whole.len() - 1];
        let cut = cuts.into_iter().map(|length| whole[..length].to_vec());
        let longer = [vec![0], vec![0; 4096], whole.clone()].map(|more| [&whole[..], &more].concat());
        for (number, bytes) in flipped.chain(cut).chain(longer).enumerate() {
            fs::write(&path, bytes).unwrap();
            let error = verify::restore_point(&stage.repository, &point, Some(Check::None)).unwrap_err().to_string();
            assert!(
                error.contains("BLAKE3: expected") || error.contains("size in bytes: expected"),
                "{number}: {error}"
            );
            if number % 20 == 0 {
                assert_eq!(restored(&stage), 5, "{number}");
            }
        }
        fs::write(&path, whole).unwrap();
        assert_eq!(restored(&stage), 9);
    }
}

#[test]
fn a_flipped_bit_of_a_manifest_never_changes_what_it_says() {
    for compress in [&[][..], &["--compress"]] {
        let (stage, point) = two(compress);
        let path = stage.repository.manifest(&point.name);
        let whole = fs::read(&path).unwrap();
        let mut damaged = 0;
        for (at, bit) in (0..whole.len()).flat_map(|at| [(at, at % 8), (at, 0)]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            let entries = stage.repository.entries().unwrap();
            let entry = entries.iter().find(|entry| entry.name == point.name).unwrap();
            let is_damaged = Entry::manifest(entry).is_none();
            assert!(is_damaged || entry.manifest() == Some(&point), "{entry:?}");
            damaged += usize::from(is_damaged);
            if at % 100 == 0 {
                assert_eq!(restored(&stage), if is_damaged { 5 } else { 9 }, "bit {bit} of byte {at}");
            }
        }
        assert!(damaged > whole.len(), "{damaged} of {} are found", 2 * whole.len());
        // Nothing that is cut has a last brace.
        for length in (0..whole.len() - 2).step_by(17) {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(stage.sequences(), [1], "{length} bytes");
        }
    }
}
