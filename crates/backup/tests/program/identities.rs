//! Databases that say nothing of who they are, as most do: two of them in one repository never prune, outrank or restore
//! each other, and what cannot be told apart is not guessed.

use std::fs;
use std::path::{Path, PathBuf};

use backup::take::Taken;
use backup::{Identity, Manifest};
use rusqlite::Connection;

use crate::stage::{Ended, Stage, edit};

/// A database of somebody's, with one row that says whose.
fn create(path: &Path, whose: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("CREATE TABLE t (whose)").unwrap();
    connection.execute("INSERT INTO t VALUES (?1)", [whose]).unwrap();
}

fn whose(path: &Path) -> String {
    Connection::open(path).unwrap().query_row("SELECT whose FROM t", [], |row| row.get(0)).unwrap()
}

/// Two databases that look alike, in one repository.
struct Tenants {
    stage: Stage,
    one: PathBuf,
    two: PathBuf,
}

impl Tenants {
    fn new() -> Self {
        let stage = Stage::new();
        let (one, two) = (stage.path("one.db"), stage.path("two.db"));
        create(&one, "one");
        create(&two, "two");
        Self { stage, one, two }
    }

    fn run(&self, database: &Path, arguments: &[&str]) -> Ended {
        self.stage.run(&[arguments, &["--database", database.to_str().unwrap()]].concat())
    }

    fn take(&self, database: &Path, arguments: &[&str]) -> Manifest {
        let ended = self.run(database, &[&["take", "--json"], arguments].concat()).expect(0);
        serde_json::from_str::<Taken>(&ended.stdout).unwrap().restore_point
    }

    /// Restores with these arguments to the place of a database that is lost, and says whose it is then.
    fn restored(&self, database: &Path, arguments: &[&str]) -> String {
        fs::remove_file(database).unwrap();
        self.run(database, &[&["restore"], arguments].concat()).expect(0);
        whose(database)
    }
}

#[test]
fn each_gets_its_own_back_and_no_prune_of_one_removes_the_other() {
    let tenants = Tenants::new();
    let Tenants { stage, one, two } = &tenants;
    let (first, second) = (tenants.take(one, &[]), tenants.take(two, &[]));
    assert!(matches!(first.identity(), Identity::Source(_)));
    assert_ne!(first.identity(), second.identity());
    assert_eq!((first.lineage, second.suspicions), (None, vec![]));
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [1, 2]);
    for arguments in [&[][..], &["--if-missing"]] {
        assert_eq!((tenants.restored(one, arguments), tenants.restored(two, arguments)), ("one".into(), "two".into()));
    }
    // An unchanged one is confirmed although the other was taken since.
    assert_eq!(tenants.take(one, &[]).name, first.name);
    let verified: serde_json::Value = stage.json(&["verify"]);
    assert_eq!(verified.as_array().unwrap().len(), 2);
    let listed = stage.run(&["list"]).expect(0).stdout;
    for path in [one, two] {
        assert!(listed.contains(path.to_str().unwrap()), "{listed}");
    }
}

#[test]
fn a_third_one_is_not_given_the_data_of_another() {
    let tenants = Tenants::new();
    let (stage, third) = (&tenants.stage, tenants.stage.path("three.db"));
    let taken = tenants.take(&tenants.one, &[]);
    let choice = format!("--lineage {}", taken.identity().short());
    // Where nobody looks, it is refused; who asks for a copy elsewhere gets it.
    tenants.run(&third, &["restore", "--if-missing"]).expect(5).says("one.db").says(&choice);
    assert!(!third.exists());
    tenants.run(&third, &["restore"]).expect(0);
    assert_eq!(whose(&third), "one");
    // Nor is it put over another's.
    tenants.run(&tenants.two, &["restore", "--force"]).expect(5).says(&choice);
    assert_eq!(whose(&tenants.two), "two");
    tenants.run(&tenants.two, &["restore", "--force", taken.name.as_str()]).expect(0);
    assert_eq!(whose(&tenants.two), "one");

    tenants.take(&tenants.two, &["--name", "second"]);
    fs::remove_file(&third).unwrap();
    let refused = tenants.run(&third, &["restore"]).expect(5).says("2 lineages");
    refused.says("one.db").says("second (");
    tenants.run(&third, &["restore", "--name", "nobody"]).expect(5).says("second (");
    assert!(!third.exists());
    assert_eq!(stage.sequences().len(), 2);
}

#[test]
fn a_name_follows_its_database_wherever_it_is() {
    let tenants = Tenants::new();
    let Tenants { stage, one, two } = &tenants;
    let before = tenants.take(one, &[]).identity();
    // A name that is given later is one of the same.
    assert_eq!(tenants.take(one, &["--name", "shop", "--copy-unchanged"]).identity(), before);
    let moved = stage.path("moved.db");
    fs::copy(one, &moved).unwrap();
    assert_eq!(tenants.take(&moved, &["--name", "shop"]).identity(), before);
    // Without the name, the path tells, and what it was called is remembered.
    let again = tenants.take(&moved, &["--copy-unchanged"]);
    assert_eq!((again.identity(), again.source.unwrap().name.unwrap()), (before, "shop".to_owned()));
    tenants.take(two, &[]);
    let elsewhere = stage.path("elsewhere.db");
    tenants.run(&elsewhere, &["restore", "--if-missing", "--name", "shop"]).expect(0);
    assert_eq!(whose(&elsewhere), "one");
}

#[test]
fn a_database_that_was_moved_is_known_by_its_file() {
    let tenants = Tenants::new();
    let taken = tenants.take(&tenants.one, &[]);
    if taken.source.as_ref().unwrap().file.is_none() {
        return;
    }
    let moved = tenants.stage.path("moved.db");
    fs::rename(&tenants.one, &moved).unwrap();
    assert_eq!(tenants.take(&moved, &[]).name, taken.name, "it is confirmed");
    // What comes to its old place is another.
    create(&tenants.one, "new");
    let other = tenants.take(&tenants.one, &["--copy-unchanged"]);
    let again = tenants.take(&moved, &["--copy-unchanged"]);
    assert_eq!(again.identity(), taken.identity());
    assert_ne!(other.identity(), taken.identity());
}

#[test]
fn a_link_leads_to_the_same_database() {
    let tenants = Tenants::new();
    let (link, directory) = (tenants.stage.path("link.db"), tenants.stage.path("folder"));
    std::os::unix::fs::symlink(&tenants.one, &link).unwrap();
    std::os::unix::fs::symlink(tenants.stage.directory.path(), &directory).unwrap();
    let taken = tenants.take(&link, &[]);
    assert_eq!(tenants.take(&tenants.one, &[]).name, taken.name);
    tenants.take(&tenants.two, &[]);
    assert_eq!(tenants.restored(&directory.join("one.db"), &[]), "one");
}

/// As versions left it that did not tell sources apart.
fn forget_source(stage: &Stage, taken: &Manifest) {
    edit(&stage.repository, &taken.name, "\"source\"", "\"was_source\"");
}

#[test]
fn what_was_taken_before_sources_were_told_apart_is_restored_as_before() {
    let tenants = Tenants::new();
    let Tenants { stage, one, two } = &tenants;
    let old = tenants.take(one, &[]);
    forget_source(stage, &old);
    assert_eq!(stage.repository.newest(None).unwrap().unwrap().identity(), Identity::Unknown);
    assert_eq!(tenants.restored(one, &["--if-missing"]), "one");
    // It is no other's predecessor in retention, and is not asked about where the path tells.
    tenants.take(two, &[]);
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [1, 2]);
    assert_eq!(tenants.restored(two, &[]), "two");
    fs::remove_file(one).unwrap();
    tenants.run(one, &["restore"]).expect(5).says("none (1 restore points");
    tenants.run(one, &["restore", old.name.as_str()]).expect(0);
    assert_eq!(whose(one), "one");
}

#[test]
fn a_remote_repository_keeps_them_apart_too() {
    let tenants = Tenants::new();
    let Tenants { stage, one, two } = &tenants;
    let (taken, _) = (tenants.take(one, &[]), tenants.take(two, &[]));
    let (far, here) = (stage.path("far"), stage.path("here"));
    fs::create_dir(&far).unwrap();
    fs::create_dir(&here).unwrap();
    let remote = format!("file://{}", far.display());
    stage.run(&["push", "--remote", &remote]).expect(0);
    stage.run(&["prune", "--remote", &remote, "--keep-last", "1"]).expect(0);
    let pull = ["pull", "--remote", &remote, "--repository", here.to_str().unwrap()];
    let pulled = tenants.run(one, &pull).expect(0).stdout;
    assert!(pulled.contains(taken.name.as_str()), "{pulled}");
    tenants.run(&stage.path("three.db"), &pull).expect(5).says("2 lineages");
}
