//! A real discovery, a real echo, and a real gateway in front of them.

use std::net::SocketAddr;

use chassis::testing::{PATIENCE, Process, Start, workspace_binary};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_frontend");

pub(crate) struct Fleet {
    pub(crate) gateway: Process,
    pub(crate) discovery: Process,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// A problem that a program can act on.
    pub(crate) fn check_problem(&self, status: u16, reason: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["reason"], reason, "{self:?}");
        assert_eq!(problem["status"], status);
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
    }
}

pub(crate) fn discovery() -> Process {
    Start::binary(&workspace_binary("discovery")).ready()
}

/// Starts a gateway with these settings.
pub(crate) fn fleet_with(settings: &[(&str, &str)]) -> Fleet {
    let discovery = discovery();
    let mut start = Start::binary(BINARY).env("ORRERY_DISCOVERY", discovery.address());
    for (name, value) in settings {
        start = start.env(&format!("ORRERY_FRONTEND_{name}"), value);
    }
    let gateway = start.ready();
    Fleet { gateway, discovery }
}

/// One that does not limit who tests it.
pub(crate) fn fleet() -> Fleet {
    fleet_with(&[("STRANGER_BURST", "100000")])
}

/// Sends these bytes, and reads one answer.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        read(&mut stream).await
    };
    timeout(PATIENCE, talk).await.expect("an answer in time")
}

/// Reads everything there is, to the end of the connection.
async fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A connection that is reset after its answer has said what it had to.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    raw(address, request.as_bytes()).await
}

pub(crate) async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    raw(address, request.as_bytes()).await
}
