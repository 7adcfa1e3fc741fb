//! The way to the store: nothing is sent to a host that was not named, and what weakens it is said.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::store::{SECRET, Store, server};
use crate::stage::{Stage, ended};

const HASTY: [&str; 2] = ["--remote-retries", "0"];

/// A server on loopback that answers every request alike, and tells the head of each.
fn answering(answer: impl Fn() -> Option<String> + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heads) = mpsc::channel();
    // It ends with the process of the tests.
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut reader = BufReader::new(client?);
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head)? > 2 {
                let last = head.lines().last().unwrap_or_default().to_lowercase();
                length = last.strip_prefix("content-length: ").map_or(length, |value| value.parse().unwrap());
            }
            reader.read_exact(&mut vec![0; length])?;
            let _ = tell.send(head);
            match answer() {
                // One request a connection: the client must not send the next one here.
                Some(answer) => {
                    let answer = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                    reader.get_mut().write_all(answer.as_bytes())?;
                }
                // Until the client gives up.
                None => drop(reader.read(&mut [0])),
            }
        }
        Ok::<_, std::io::Error>(())
    });
    (address, heads)
}

fn redirect(status: u16, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} Elsewhere\r\nlocation: {to}/b/x?secret-of-a-path\r\nx-amz-bucket-region: eu-west-3\r\n\
         content-length: 0\r\n\r\n"
    )
}

#[test]
fn no_redirect_is_followed_and_its_host_is_named() {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let (elsewhere, reached) = answering(|| Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()));
    let target = elsewhere.replace("127.0.0.1", "localhost");
    for status in [301, 302, 303, 307, 308] {
        let target = target.clone();
        let (store, asked) = answering(move || Some(redirect(status, &target)));
        let store = Store::at("s3://bucket", &store);
        for command in [&["list", "--remote"][..], &["push"], &["pull"]] {
            let mut command = store.command(&stage, &[command, &HASTY].concat());
            command.env("AWS_SESSION_TOKEN", "a-token-of-a-session");
            let ended = ended(command).expect(8).says(&format!("redirects to localhost (status {status})"));
            assert!(!ended.stderr.contains("secret-of-a-path"), "{}", ended.stderr);
            ended.says("the bucket is in the region eu-west-3");
        }
        assert!(asked.try_iter().count() >= 3, "the store was not even asked");
    }
    // Nor where credentials come from.
    let (giver, asked) = answering(move || Some(redirect(307, &target)));
    let mut command = stage.std_command(&[&["list", "--remote", "s3://bucket"][..], &HASTY].concat());
    let token = stage.path("token");
    std::fs::write(&token, "a-token-of-a-container").unwrap();
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", giver).env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
    command.env("AWS_REGION", "eu-west-3").env("AWS_ALLOW_HTTP", "true");
    ended(command).expect(8).says("redirects to localhost");
    assert!(asked.try_iter().any(|head| head.contains("a-token-of-a-container")));
    assert_eq!(reached.try_iter().collect::<Vec<_>>(), [""; 0], "what was redirected was sent on");
}

#[test]
fn checks_of_certificates_that_are_switched_off_are_said_each_time() {
    let (Some(server), Some(bucket)) = (server(), Store::bucket()) else { return };
    let store = Store::at(&bucket.url, &server.https);
    let (stage, _connection) = Stage::with_rows(5);
    for _ in 0..2 {
        let mut command = store.command(&stage, &["list", "--remote"]);
        command.env("AWS_ALLOW_INVALID_CERTIFICATES", "true");
        ended(command).expect(0).says("WARN TLS certificates are not checked").says("--remote-ca");
    }
    let ended = ended(bucket.command(&stage, &["list", "--remote"])).expect(0);
    assert!(!ended.stderr.contains("certificates"), "{}", ended.stderr);
}

#[test]
fn the_password_of_a_proxy_is_shown_at_no_level() {
    let (stage, _connection) = Stage::with_rows(5);
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 15\r\n\r\nme:a%20password";
    let (proxy, asked) = answering(|| Some(refusal.into()));
    let address = proxy.replace("http://", "http://me:a%20password@");
    let store = Store::at("s3://bucket", "http://store.example");
    for variable in ["http_proxy", "AWS_PROXY_URL"] {
        let mut command = store.command(&stage, &[&["list", "--remote", "--log-level", "trace"][..], &HASTY].concat());
        command.env(variable, &address);
        let ended = ended(command).expect(8).says("407");
        let head = asked.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(head.to_lowercase().contains("proxy-authorization"), "{variable}: it was not even used: {head}");
        for secret in ["a password", "a%20password", "bWU6YSBwYXNzd29yZA=="] {
            assert!(!ended.stderr.contains(secret), "{variable}: {}", ended.stderr);
        }
    }
}

#[test]
fn what_is_in_memory_is_left_in_no_core_file() {
    let (stage, _connection) = Stage::with_rows(5);
    let (silent, asked) = answering(|| None);
    let store = Store::at("s3://bucket", &silent);
    let program = store.command(&stage, &["list", "--remote"]);
    let mut command = std::process::Command::new("sh");
    // A crash leaves a file where that is allowed, as on a machine of a developer.
    command.args(["-c", "ulimit -c unlimited 2> /dev/null; exec \"$0\" \"$@\""]).arg(program.get_program());
    command.args(program.get_args()).current_dir(stage.path("")).stderr(Stdio::null());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = command.spawn().unwrap();
    let head = asked.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(!head.contains(SECRET), "{head}");
    let process = format!("/proc/{}", child.id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGABRT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::SIGABRT as i32), false));
}
