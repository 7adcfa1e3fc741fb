//! The tables change between a restore point and the end of its journal.

use std::fs;

use super::volumes::{Volumes, add, down_from, state};
use crate::harness::fails;

/// What a later version of this service could do to its tables: a column, and an index.
const MIGRATION: &str = "
    ALTER TABLE message ADD COLUMN author TEXT NOT NULL DEFAULT 'nobody';
    CREATE INDEX message_by_author ON message (author);";

#[tokio::test]
async fn a_restore_point_of_before_and_one_of_after_a_migration_both_lead_to_the_end() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 2).await;
    let before = volumes.take();
    add(&app, 2).await;
    app.stop();
    volumes.sqlite().execute_batch(MIGRATION).unwrap();
    let app = volumes.start();
    add(&app, 2).await;
    let after = volumes.take();
    add(&app, 2).await;
    app.kill();
    for (point, authors) in [(&before, 0), (&after, 8)] {
        volumes.lose();
        volumes.restore_named(point);
        let app = volumes.start();
        assert_eq!((app.ids().await, state(&app).await.as_str()), (down_from(8), "protected"));
        app.kill();
        let migrated = volumes
            .sqlite()
            .query_row("SELECT count(*) FROM message WHERE author = 'nobody'", [], |row| row.get::<_, i64>(0));
        assert_eq!(migrated.unwrap_or_default(), authors, "the tables are those of the restore point");
    }
}

#[tokio::test]
async fn a_program_that_is_too_old_for_the_restore_point_leaves_the_journal_alone() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 2).await;
    app.stop();
    volumes.sqlite().pragma_update(None, "user_version", 2).unwrap();
    let newer = volumes.take();
    let journal = || volumes.journal().iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let untouched = journal();
    volumes.lose();
    volumes.restore_named(&newer);
    let (code, stderr) = fails(volumes.command());
    assert!(
        code == Some(1) && stderr.contains("its tables have version 2, but this program knows versions up to 1"),
        "{stderr}"
    );
    assert!(journal() == untouched, "a program that cannot read the database wrote its journal");
    // With the program that knows them, all is there.
    volumes.sqlite().pragma_update(None, "user_version", 1).unwrap();
    assert_eq!(volumes.start().ids().await, down_from(2));
}
