//! From start to exit code: what chassis promises of every service, shown on echo.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Start, http_get};
use echo::{EchoArgs, EchoClient};
use rpc::{BuiltinClient, Channel, DrainArgs, Empty, HealthState};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SERVER: &str = env!("CARGO_BIN_EXE_server_v1");

fn hi() -> EchoArgs {
    EchoArgs {
        message: "hi".into(),
    }
}

#[test]
fn a_port_that_is_taken_is_exit_code_69_and_names_port_and_owner() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ended = Start::binary(SERVER).env("PORT", port).ended();
    assert_eq!(ended.status.code(), Some(69), "{}", ended.stderr);
    let owner = format!("port {port} is held by process {}", std::process::id());
    assert!(ended.stderr.contains(&owner), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
}

#[test]
fn a_bad_setting_is_exit_code_78_and_a_bad_flag_64() {
    let ended = Start::binary(SERVER)
        .env("ORRERY_ECHO_DRAIN_GRACE", "soon")
        .ended();
    assert_eq!(ended.status.code(), Some(78));
    assert!(
        ended.stderr.contains("ORRERY_ECHO_DRAIN_GRACE"),
        "{}",
        ended.stderr
    );
    let ended = Start::binary(SERVER).env("PORT", "eighty").ended();
    assert_eq!(ended.status.code(), Some(78));
    let ended = Start::binary(SERVER).env("RUST_LOG", "rpc=loud").ended();
    assert_eq!(ended.status.code(), Some(78), "{}", ended.stderr);
    let ended = Start::binary(SERVER).arg("--prot").arg("1").ended();
    assert_eq!(ended.status.code(), Some(64));
    assert!(ended.stderr.contains("--prot") && ended.stderr.contains("the settings are"));
}

#[test]
fn help_and_version_are_data_and_end_well() {
    for (flag, words) in [
        ("--help", "ORRERY_ECHO_DRAIN_GRACE"),
        ("--version", "echo 1.0.0"),
    ] {
        let output = std::process::Command::new(SERVER)
            .arg(flag)
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains(words));
    }
}

#[test]
fn sigterm_and_sigint_end_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Start::binary(SERVER).ready();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    }
}

#[tokio::test]
async fn the_procedure_drain_ends_it_with_0() {
    let mut server = Start::binary(SERVER).ready();
    server.builtin().drain(&DrainArgs {}).await.unwrap();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

/// A reader that holds a connection open without calls costs no grace; the clients go elsewhere.
#[tokio::test]
async fn idle_connections_do_not_hold_up_its_end() {
    let mut server = Start::binary(SERVER)
        .env("ORRERY_DRAIN_GRACE", "10s")
        .ready();
    let client = EchoClient::new(server.channel());
    client.echo(&hi()).await.unwrap();
    let mut http = TcpStream::connect(server.address()).await.unwrap();
    http.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    http.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    server.signal(Signal::TERM);
    let asked = Instant::now();
    // The connections' tasks in this process must run for their ends to be seen.
    let status = tokio::task::spawn_blocking(move || server.wait())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Start::binary(SERVER)
        .env("ORRERY_DRAIN_GRACE", "1h")
        .ready();
    // A request that never ends holds up the drain.
    let mut http = TcpStream::connect(server.address()).await.unwrap();
    http.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        .await
        .unwrap();
    server.signal(Signal::TERM);
    server.says("echo ends");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

#[test]
fn the_address_is_said_on_stderr_too_in_the_format_that_was_asked_for() {
    let server = Start::binary(SERVER).ready();
    server.says(&format!("echo serves address={}", server.address()));
    let server = Start::binary(SERVER)
        .env("ORRERY_LOG_FORMAT", "json")
        .ready();
    server.says("\"message\":\"echo serves\"");
    let text = server.stderr();
    for line in text.lines() {
        let parsed: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            parsed["timestamp"].is_string() && parsed["level"].is_string(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn who_dribbles_its_first_bytes_is_served_all_the_same() {
    let server = Start::binary(SERVER).ready();
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.set_nodelay(true).unwrap();
    for byte in b"OPTIONS / HTTP/1.1\r\nhost: x\r\n\r\n" {
        slow.write_all(&[*byte]).await.unwrap();
        slow.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 12];
    timeout(PATIENCE, slow.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[tokio::test]
async fn nonsense_ends_its_own_connection_and_nothing_else() {
    let server = Start::binary(SERVER).ready();
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"ORR\x01",
        b"ORR\x01\xff\xff\xff",
        b"\0",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        // A reset is as good an end as any.
        let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{nonsense:?} is left hanging");
    }
    let client = EchoClient::new(server.channel());
    assert_eq!(client.echo(&hi()).await.unwrap().message, "hi");
}

#[tokio::test]
async fn silent_connections_do_not_keep_an_honest_client_waiting() {
    let server = Start::binary(SERVER).ready();
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let builtin = BuiltinClient::new(Channel::to(server.address()));
    let health = builtin.health(&Empty {}).await.unwrap();
    assert_eq!(health.state, HealthState::Serving);
    assert_eq!(http_get(server.address(), "/readyz").await.0, 200);
    drop(silent);
}

#[tokio::test]
async fn metrics_are_the_same_text_over_both_protocols() {
    let server = Start::binary(SERVER).ready();
    let client = EchoClient::new(server.channel());
    client.echo(&hi()).await.unwrap();
    let line = "rpc_calls_total{id=\"101\",procedure=\"echo\",outcome=\"succeeded\"} 1";
    let text = server.builtin().metrics(&Empty {}).await.unwrap().text;
    assert!(text.contains(line), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let (_, text) = http_get(server.address(), "/metrics").await;
    assert!(text.contains(line), "{text}");
    let metrics = [
        "resident_memory_bytes",
        "cpu_seconds_total",
        "open_fds",
        "uptime_seconds",
    ];
    for metric in metrics {
        assert!(text.contains(&format!("\nprocess_{metric} ")), "{text}");
    }
}
