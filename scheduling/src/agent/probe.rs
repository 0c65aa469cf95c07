//! Asking an instance whether it is well.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use model::{Probe, ProbeKind};
use rpc::{BuiltinClient, CallOptions, Channel, Empty, HealthState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How much of an HTTP answer is read to find its status.
const STATUS_LINE_BYTES: usize = 64;

/// One way to ask one instance, made once and used for as long as it runs.
pub(super) struct Question {
    kind: ProbeKind,
    address: Option<SocketAddr>,
    patience: Duration,
    health: Option<BuiltinClient>,
}

impl Question {
    pub(super) fn new(probe: &Probe, address: Option<SocketAddr>) -> Self {
        let patience = Duration::from_millis(probe.timeout_ms.max(1));
        let by_procedure = probe.kind == ProbeKind::Procedure;
        let options = CallOptions {
            timeout: Some(patience),
            ..CallOptions::default()
        };
        Self {
            kind: probe.kind.clone(),
            address,
            patience,
            health: address
                .filter(|_| by_procedure)
                .map(|address| BuiltinClient::new(Channel::to(address)).with(options)),
        }
    }

    /// Whether there is anything to ask: otherwise it is well for as long as it runs.
    pub(super) fn can_be_asked(&self) -> bool {
        match self.kind {
            ProbeKind::None => false,
            ProbeKind::Exec { .. } => true,
            _ => self.address.is_some(),
        }
    }

    /// Asks once. The text of a bad answer says what was asked and what came.
    pub(super) async fn ask(&self) -> Result<(), String> {
        let asked = timeout(self.patience, self.put());
        asked.await.unwrap_or_else(|_| {
            Err(format!(
                "{} gave no answer within {} ms",
                self.what(),
                self.patience.as_millis()
            ))
        })
    }

    fn what(&self) -> String {
        match &self.kind {
            ProbeKind::Procedure => "HEALTH".to_owned(),
            ProbeKind::Tcp => "a TCP connection".to_owned(),
            ProbeKind::Http { path } => format!("GET {path}"),
            ProbeKind::Exec { program, .. } => program.clone(),
            ProbeKind::None => "nothing".to_owned(),
        }
    }

    async fn put(&self) -> Result<(), String> {
        match (&self.kind, self.address) {
            (ProbeKind::Exec { program, args }, _) => self.run(program, args).await,
            (ProbeKind::Tcp, Some(address)) => connect(address).await.map(drop),
            (ProbeKind::Http { path }, Some(address)) => get(address, path).await,
            (ProbeKind::Procedure, Some(_)) => self.call().await,
            _ => Ok(()),
        }
    }

    async fn call(&self) -> Result<(), String> {
        let Some(client) = &self.health else {
            return Ok(());
        };
        match client.health(&Empty {}).await {
            Ok(health) => match health.state {
                HealthState::Serving | HealthState::Draining => Ok(()),
                HealthState::Starting => Err("HEALTH says that it is starting".to_owned()),
                HealthState::Failing => Err("HEALTH says that it is failing".to_owned()),
            },
            Err(e) => Err(format!("HEALTH failed: {e}")),
        }
    }

    async fn run(&self, program: &str, args: &[String]) -> Result<(), String> {
        let mut command = tokio::process::Command::new(program);
        command.args(args).kill_on_drop(true);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(address) = self.address {
            command.env("PORT", address.port().to_string());
        }
        match command.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{program} ended with {status}")),
            Err(e) => Err(format!("{program} could not be run: {e}")),
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let connected = TcpStream::connect(address).await;
    connected.map_err(|e| format!("connecting to {address} failed: {e}"))
}

async fn get(address: SocketAddr, path: &str) -> Result<(), String> {
    let mut stream = connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let lost = |e: std::io::Error| format!("GET {path} failed: {e}");
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut answer = Vec::with_capacity(STATUS_LINE_BYTES);
    while answer.len() < STATUS_LINE_BYTES && !answer.contains(&b'\n') {
        if stream.read_buf(&mut answer).await.map_err(lost)? == 0 {
            break;
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default().to_owned();
    let status = line.split(' ').nth(1).and_then(|s| s.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        _ => Err(format!("GET {path} answered {line:?}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn question(kind: ProbeKind, address: Option<SocketAddr>) -> Question {
        let probe = Probe {
            kind,
            timeout_ms: 2_000,
            ..Probe::default()
        };
        Question::new(&probe, address)
    }

    async fn answers(line: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(line.as_bytes()).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn http_is_well_with_2xx_and_says_what_came_otherwise() {
        let http = || ProbeKind::Http {
            path: "/livez".into(),
        };
        let address = answers("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(question(http(), Some(address)).ask().await, Ok(()));
        let address = answers("HTTP/1.1 503 Busy\r\n\r\n").await;
        let why = question(http(), Some(address)).ask().await.unwrap_err();
        assert_eq!(why, "GET /livez answered \"HTTP/1.1 503 Busy\"");
    }

    #[tokio::test]
    async fn exec_is_well_with_code_0() {
        let exec = |arg: &str| ProbeKind::Exec {
            program: "sh".into(),
            args: vec!["-c".into(), arg.into()],
        };
        assert_eq!(question(exec("exit 0"), None).ask().await, Ok(()));
        let why = question(exec("exit 3"), None).ask().await.unwrap_err();
        assert!(why.contains("exit status: 3"), "{why}");
    }

    #[tokio::test]
    async fn the_health_procedure_is_asked_for_and_silence_is_a_bad_answer() {
        let running = rpc::Server::new("probed", "1")
            .listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let asked = question(ProbeKind::Procedure, Some(running.address()));
        assert_eq!(asked.ask().await, Ok(()));
        running.set_health(HealthState::Failing);
        assert!(asked.ask().await.is_err());

        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let probe = Probe {
            timeout_ms: 50,
            ..Probe::default()
        };
        let address = silent.local_addr().unwrap();
        assert!(Question::new(&probe, Some(address)).ask().await.is_err());
    }
}
