//! Stores that mean harm: whoever answers in the place of one, with what no store says.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::store::Store;
use crate::stage::{Stage, ended};

/// Answers every request in the same way, and gives where it is to be found.
fn answering_with(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    // It ends with the process of the tests.
    thread::spawn(move || {
        for client in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut client = client?;
                let mut lines = BufReader::new(client.try_clone()?).lines();
                // A client that gives up is part of the game.
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                answer(&mut client)
            });
        }
    });
    endpoint
}

/// Answers every request with the same text.
pub fn answering(status: &str, body: &str) -> String {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    answering_with(move |client| client.write_all(answer.as_bytes()))
}

/// Runs against it in little memory, and ends in time.
fn run(endpoint: &str, arguments: &[&str]) -> crate::stage::Ended {
    let (stage, _connection) = Stage::with_rows(1);
    stage.take();
    let store = Store::at("s3://bucket/prefix", endpoint);
    let began = Instant::now();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 1048576; exec \"$0\" \"$@\"", crate::stage::PROGRAM]).args(arguments);
    let command = store.command(&stage, arguments);
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = ended(limited);
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    ended
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    let endless = answering_with(|client| {
        client.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunk = [&b"100000\r\n"[..], &vec![b'a'; 1 << 20], b"\r\n"].concat();
        loop {
            client.write_all(&chunk)?;
        }
    });
    for arguments in [&["list", "--remote"][..], &["push"], &["pull"], &["prune", "--keep-last", "1", "--remote"]] {
        run(&endless, arguments).expect(8).says("more than 67108864 bytes");
    }
}

#[test]
fn a_listing_that_goes_on_for_ever_is_given_up() {
    let page = |token: &str| {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><Prefix></Prefix><KeyCount>0</KeyCount>\
             <IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
        )
    };
    let looping = answering("200 OK", &page("same"));
    run(&looping, &["list", "--remote"]).expect(8).says("does not end").says("same next page");
    let long = answering("200 OK", &page(&"k".repeat(70_000_000)));
    run(&long, &["list", "--remote"]).expect(8).says("more than 67108864 bytes");
}

#[test]
fn keys_of_others_are_not_kept_however_many_and_long_they_are() {
    let long = "k".repeat(8000);
    let others: String = (0..5000)
        .map(|number| {
            format!(
                "<Contents><Key>prefix/{number}-{long}</Key><LastModified>2026-11-22T18:09:35.000Z</LastModified>\
                 <ETag>\"e\"</ETag><Size>1</Size></Contents>"
            )
        })
        .collect();
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><Prefix></Prefix><KeyCount>5000</KeyCount>\
         <IsTruncated>false</IsTruncated>{others}</ListBucketResult>"
    );
    let ended = run(&answering("200 OK", &body), &["list", "--remote"]).expect(0);
    assert!(ended.stdout.contains("no restore points"), "{}", ended.stdout);
}
