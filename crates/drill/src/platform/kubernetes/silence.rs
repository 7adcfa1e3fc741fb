//! Whether a call that failed got an answer of the API server.

/// A call that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The server was not reached: nothing can have taken effect.
    Unreached,
    /// The answer was lost, or the server could not give one: nobody knows.
    Unknown,
}

/// What kubectl prints when no connection comes about. It has one exit code for everything.
const UNREACHED: [&str; 6] = [
    "was refused - did you specify",
    "connection refused",
    "no route to host",
    "network is unreachable",
    "TLS handshake timeout",
    "dial tcp",
];

/// What it prints when a connection ends early or takes too long.
const LOST: [&str; 7] = [
    "Unable to connect to the server",
    "i/o timeout",
    "connection reset by peer",
    "connection lost",
    "EOF",
    "context deadline exceeded",
    "Client.Timeout exceeded",
];

/// What is in front of whatever the server says. It may quote the same of others: of a node that does not answer it.
const ANSWER: &str = "Error from server";

/// What the server says when it cannot serve now.
const UNAVAILABLE: [&str; 4] = ["(ServiceUnavailable)", "(ServerTimeout)", "(Timeout)", "etcdserver: "];

/// What a server says for a moment after it has started, before it has read who may do what.
const NOT_SETTLED: [&str; 2] = ["(Forbidden)", "(Unauthorized)"];

/// What the stderr of a failed call tells; `None` for an answer, such as a refusal, and for what kubectl itself objects to.
pub(super) fn of(stderr: &str, is_going_on: bool) -> Option<Silence> {
    let says = |any: &[&str]| any.iter().any(|text| stderr.contains(text));
    match stderr.contains(ANSWER) {
        true if says(&UNAVAILABLE) || is_going_on && says(&NOT_SETTLED) => Some(Silence::Unknown),
        true => None,
        false if says(&UNREACHED) => Some(Silence::Unreached),
        false => says(&LOST).then_some(Silence::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_silence() {
        for (stderr, expected) in [
            (
                "The connection to the server localhost:6443 was refused - did you specify the right host or port?",
                Some(Silence::Unreached),
            ),
            ("Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", Some(Silence::Unreached)),
            ("Unable to connect to the server: net/http: TLS handshake timeout", Some(Silence::Unreached)),
            ("Unable to connect to the server: EOF", Some(Silence::Unknown)),
            ("error: unexpected EOF", Some(Silence::Unknown)),
            ("Error from server: etcdserver: leader changed", Some(Silence::Unknown)),
            ("Error from server (ServiceUnavailable): the server is currently unable", Some(Silence::Unknown)),
            ("Error from server: Get \"https://10.0.0.1:10250/containerLogs/a\": http2: client connection lost", None),
            ("Error from server: Get \"https://10.0.0.1:10250/containerLogs/a\": dial tcp: i/o timeout", None),
            ("Error from server (NotFound): pods \"a\" not found", None),
            ("Error from server (InternalError): told to fail", None),
            ("Error from server (AlreadyExists): jobs.batch \"a\" already exists", None),
            ("error: context \"nope\" does not exist", None),
        ] {
            assert_eq!(of(stderr, false), expected, "{stderr}");
        }
        let forbidden = "Error from server (Forbidden): leases is forbidden";
        assert_eq!((of(forbidden, false), of(forbidden, true)), (None, Some(Silence::Unknown)));
    }
}
