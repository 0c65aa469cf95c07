//! A real discovery, a real echo, and a real gateway in front of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Process, Start, workspace_binary};
use discovery::{DiscoveryClient, Protocol, RegisterArgs, RegisterEvent, Registration};
use rpc::{Running, Server, Streaming};
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

/// Keeps a server registered, for as long as it lives.
pub(crate) struct Held {
    _server: Running,
    _stream: Streaming<RegisterEvent>,
}

/// Registers a server of this process as the only instance of this service; an earlier one of the
/// same service is replaced.
pub(crate) async fn register(fleet: &Fleet, service: &str, version: &str, server: Server) -> Held {
    let server = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let registration = Registration {
        service: service.to_owned(),
        instance: format!("{service}.0.1"),
        address: server.address().to_string(),
        version: version.to_owned(),
        zone: String::new(),
        weight: 100,
        protocol: Protocol::Rpc,
        procedures: Vec::new(),
        labels: Default::default(),
    };
    let args = RegisterArgs {
        ttl_ms: 60_000,
        registration,
    };
    let client = DiscoveryClient::new(fleet.discovery.channel());
    let mut stream = client.register(&args).await.unwrap();
    stream.next().await.unwrap().unwrap();
    Held {
        _server: server,
        _stream: stream,
    }
}

/// Asks again and again, until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await; // why: asked at a pace
    }
}

/// A figure that the gateway counts; `None` before it has counted any.
pub(crate) async fn figure(fleet: &Fleet, name: &str) -> Option<u64> {
    let (_, text) = chassis::testing::http_get(fleet.gateway.address(), "/metrics").await;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
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
    answer(&String::from_utf8_lossy(&bytes))
}

fn answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    raw(address, request.as_bytes()).await
}

pub(crate) async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    raw(address, request.as_bytes()).await
}

/// A stream's connection, and what came over it so far.
pub(crate) struct Events {
    stream: TcpStream,
    pub(crate) seen: String,
}

impl Events {
    /// Opens a stream.
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let seen = String::new();
        Self { stream, seen }
    }

    /// Reads on until this has come.
    pub(crate) async fn until(&mut self, words: &str) {
        let mut buffer = [0; 4_096];
        while !self.seen.contains(words) {
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            let count = read.expect("more in time").unwrap();
            assert!(count > 0, "it ended after {}", self.seen);
            self.seen
                .push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// The answer, up to its first event.
    pub(crate) async fn head(mut self) -> Answer {
        self.until("data: ").await;
        answer(&self.seen)
    }

    /// Reads everything there is, to the end of the connection.
    pub(crate) async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await;
        // A reset is an end too.
        let _ = read.expect("an end in time");
        self.seen + &String::from_utf8_lossy(&bytes)
    }
}
