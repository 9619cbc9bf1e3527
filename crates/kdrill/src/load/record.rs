//! What the generator says: one JSON document per line, the first a [`Line::Hello`], the last a
//! [`Line::End`], in between one [`Line::Request`] for every request that fell due.

use serde::{Deserialize, Serialize};

/// One line of the generator's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// The generator's clock starts now; request `seq` is due `seq / rate` seconds after this.
    Hello {
        /// Requests due in each second.
        rate: u32,
    },
    /// A request has ended, well or not.
    Request(Record),
    /// No more requests: all that fell due have been reported.
    End {
        /// How many fell due.
        requests: u64,
        /// Why it ended.
        reason: String,
    },
}

/// One request. Times are microseconds since [`Line::Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 0, without gaps.
    pub seq: u64,
    /// When it was due.
    pub due_us: u64,
    /// When it was started: later than due when the generator was late.
    pub start_us: u64,
    /// From due to its end.
    pub latency_us: u64,
    /// It used a connection that was kept, or was to be kept.
    #[serde(default)]
    pub kept: bool,
    /// The pod that gave the exact answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How it failed; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// How a request can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The name server says that there is no such name, or no address of it.
    NameMissing,
    /// No address of the name within the time a request may take.
    NameTimeout,
    /// The name server could not be asked, or could not say.
    NameFailed,
    /// The connection was refused.
    ConnectRefused,
    /// No connection within the time a request may take.
    ConnectTimeout,
    /// There is no route to the address.
    ConnectUnreachable,
    /// The connection failed otherwise, for example for want of a local port.
    ConnectFailed,
    /// The connection was reset.
    Reset,
    /// The connection was closed, or spoke no HTTP, before the answer was whole.
    Incomplete,
    /// Connected, but no whole answer within the time a request may take.
    Timeout,
    /// The status was not 200.
    BadStatus,
    /// The body was not `Hello World! My Host name is <hostname>` and two newlines.
    BadBody,
    /// Too many requests were in flight: this one was not sent.
    Overload,
}

impl Failure {
    /// The word used in every output; the same as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NameMissing => "name-missing",
            Self::NameTimeout => "name-timeout",
            Self::NameFailed => "name-failed",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::ConnectUnreachable => "connect-unreachable",
            Self::ConnectFailed => "connect-failed",
            Self::Reset => "reset",
            Self::Incomplete => "incomplete",
            Self::Timeout => "timeout",
            Self::BadStatus => "bad-status",
            Self::BadBody => "bad-body",
            Self::Overload => "overload",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_the_document_says() {
        let line = Line::Request(Record {
            seq: 3,
            due_us: 15_000,
            start_us: 15_100,
            latency_us: 900,
            kept: true,
            pod: Some("web-1".to_owned()),
            status: Some(200),
            error: None,
        });
        let text = r#"{"type":"request","seq":3,"due_us":15000,"start_us":15100,"latency_us":900,"kept":true,"pod":"web-1","status":200}"#;
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
        assert_eq!(serde_json::from_str::<Line>(text).unwrap(), line);
        let json = serde_json::to_value(Failure::ConnectRefused).unwrap();
        assert_eq!(json, Failure::ConnectRefused.word());
    }
}
