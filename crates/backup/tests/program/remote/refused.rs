//! What is refused, and what is never shown.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;

use super::proxy::{self, Fault};
use super::store::{KEY_ID, SECRET, Store};
use crate::stage::{Stage, beside, edit, ended};

#[test]
fn a_url_that_names_no_store_is_a_usage_error_that_repeats_no_password() {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    for (url, reason) in [
        ("ftp://host/x", "ftp:// is not a known store"),
        ("s3://key:password@bucket/x", "credentials in the environment"),
        ("nothing", "it is not a URL"),
    ] {
        let ended = stage.run(&["push", "--remote", url]).expect(2).says(reason);
        assert!(!ended.stderr.contains("password@"), "{}", ended.stderr);
    }
    stage.run(&["list", "--remote"]).expect(2).says("BACKUP_REMOTE");
    stage.run(&["push", "--remote", "file:///does/not/exist"]).expect(1).says("create the directory");
    let nonsense = Store::at("s3://bucket", "no URL");
    nonsense.run(&stage, &["push"]).expect(2).says("expected http:// or https://");
}

#[test]
fn two_restore_points_of_one_name_never_replace_each_other() {
    for store in Store::each() {
        let [(one, _first), (other, _second)] = [5, 7].map(Stage::with_rows);
        let (point, foreign) = (one.take(), other.take());
        // As if both had begun in the same millisecond.
        for suffix in [".db", ".json"] {
            let path = |stage: &Stage, name: &str| beside(&stage.repository.path().join(name), suffix);
            let text = std::fs::read(path(&other, foreign.name.as_str())).unwrap();
            std::fs::write(path(&other, point.name.as_str()), text).unwrap();
        }
        edit(&other.repository, &point.name, foreign.name.as_str(), point.name.as_str());

        store.push(&one);
        let keys = store.keys();
        store
            .run(&other, &["push", point.name.as_str()])
            .expect(6)
            .says("a different restore point with the same name");
        assert_eq!(store.keys(), keys);
        store.run(&other, &["pull"]).expect(6).says("pull into another directory");
    }
}

#[test]
fn with_nothing_to_push_or_pull_that_is_said() {
    for store in Store::each() {
        let stage = Stage::new();
        store.run(&stage, &["push"]).expect(5).says("take one first");
        store.run(&stage, &["pull"]).expect(5).says("the repository is empty");
        assert!(store.run(&stage, &["list", "--remote"]).expect(0).stdout.contains("no restore points"));
    }
}

#[test]
fn no_credential_is_shown_at_any_level_even_if_the_store_repeats_it() {
    let Some(bucket) = Store::bucket() else { return };
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let echo = proxy::before(&bucket, |_| Fault::Status(403));
    let refusing = Store::at(&bucket.url, &echo);
    let refused = refusing.run(&stage, &["push", "--log-level", "trace"]).expect(8).says("check the credentials");
    assert!(refused.stderr.contains("authorization"), "the store did not repeat it: {}", refused.stderr);
    let done = bucket.run(&stage, &["push", "--log-level", "trace"]).expect(0);
    for shown in [refused.stderr, refused.stdout, done.stderr, done.stdout] {
        assert!(!shown.contains(SECRET) && !shown.contains(KEY_ID), "{shown}");
    }
}

#[test]
fn what_cannot_be_sent_is_named_and_neither_shown_nor_a_panic() {
    let (stage, _connection) = Stage::with_rows(1);
    let token = stage.path("token");
    std::fs::write(&token, "a-token-of-a-container\n").unwrap();
    let good =
        [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let newline = format!("{SECRET}\n");
    for (url, name, value) in [
        ("s3://bucket", "AWS_SECRET_ACCESS_KEY", newline.as_str()),
        ("s3://bucket", "AWS_ACCESS_KEY_ID", "key\r\n"),
        ("s3://bucket", "AWS_SESSION_TOKEN", "clé"),
        ("s3://bucket", "AWS_REGION", "us-east-1\n"),
        ("s3://bucket", "AWS_ENDPOINT_URL", "http://127.0.0.1:9\n"),
        ("s3://bucket", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
        ("az://container", "AZURE_STORAGE_TOKEN", "token\n"),
        ("gs://bucket", "GOOGLE_SERVICE_ACCOUNT", "/a/path\n"),
    ] {
        let mut command = stage.std_command(&["list", "--remote", url, "--remote-retries", "0"]);
        command.envs(good).env("AWS_ALLOW_HTTP", "true").env(name, value);
        let ended = ended(command).expect(2).says(name);
        assert!(!ended.stderr.contains(SECRET) && !ended.stderr.contains("a-token"), "{}", ended.stderr);
    }
    // Nor is anything else in the environment a reason to panic.
    let mut command = stage.std_command(&["list", "--remote", "s3://bucket", "--remote-retries", "0"]);
    command.envs(good).env("AWS_ALLOW_HTTP", "true").env("OLD_NAME", std::ffi::OsStr::from_bytes(b"caf\xe9"));
    ended(command).expect(8);
}

#[test]
fn an_answer_that_cannot_be_sent_on_is_an_error_and_no_panic() {
    let (stage, _connection) = Stage::with_rows(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let body =
            r#"{"AccessKeyId": "k\n", "SecretAccessKey": "s", "Token": "t\n", "Expiration": "2099-01-01T00:00:00Z"}"#;
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 4096]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        client.write_all((head + body).as_bytes()).unwrap();
    });
    let token = stage.path("token");
    std::fs::write(&token, "token").unwrap();
    let mut command = stage.std_command(&["list", "--remote", "s3://bucket", "--remote-retries", "0"]);
    command.env("AWS_ENDPOINT_URL", &address).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "eu-west-3");
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", address).env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
    ended(command).expect(8).says("check the address and the credentials");
    server.join().unwrap();
}

#[test]
fn plain_http_is_refused_with_the_setting_that_allows_it() {
    let (stage, _connection) = Stage::with_rows(1);
    for (url, endpoint, setting) in [
        ("s3://bucket", "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP=true"),
        ("az://container", "AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP=true"),
    ] {
        let command = || {
            let mut command = stage.std_command(&["list", "--remote", url, "--remote-retries", "0"]);
            command.env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET);
            command.env("AZURE_STORAGE_ACCOUNT_NAME", "account").env("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0");
            command.env(endpoint, "http://127.0.0.1:9");
            command
        };
        ended(command()).expect(2).says(setting);
        let mut allowed = command();
        allowed.env(setting.strip_suffix("=true").unwrap(), "yes");
        // It is spoken to, though nobody is there.
        ended(allowed).expect(8);
    }
}
