//! A worker of one job: runs the tasks that the service `pipelines` gives it. It outlives that
//! service for a while, and ends when nobody has listened to it for too long.

mod hosted;

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use pipelines::workers::{ConnectArgs, PipelineWorkerDispatch, RegistryClient, env};
use rpc::{CallOptions, Channel};

use self::hosted::Hosted;

/// How long it tries to be heard by the service that started it.
const CONNECT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            _ = writeln!(std::io::stderr(), "pipeline-worker: {why}");
            ExitCode::from(69)
        }
    }
}

fn told<T: std::str::FromStr>(name: &str) -> Result<T, String> {
    let text =
        std::env::var(name).map_err(|_| format!("{name} is not set; `pipelines` sets it"))?;
    text.parse().map_err(|_| format!("{name} cannot be read"))
}

async fn run() -> Result<(), String> {
    let registry: SocketAddr = told(env::REGISTRY)?;
    let secret: String = told(env::SECRET)?;
    let orphan = Duration::from_secs(told(env::ORPHAN_SECONDS)?);
    let host: IpAddr = told(env::HOST).unwrap_or(Ipv4Addr::LOCALHOST.into());
    let engine = dataflow::worker::Worker::bind(SocketAddr::new(host, 0));
    let engine = engine.map_err(|e| format!("failed to listen for rows: {e}"))?;
    let data_address = engine.address().to_string();
    let hosted = Hosted::new(engine, secret.clone());
    let server = rpc::Server::new("pipeline-worker", env!("CARGO_PKG_VERSION"));
    let server = server.service(PipelineWorkerDispatch::new(hosted.clone()));
    let running = server.listen(SocketAddr::new(host, 0)).await;
    let running = running.map_err(|e| format!("failed to listen for orders: {e}"))?;
    let args = ConnectArgs {
        worker: told(env::WORKER)?,
        secret,
        address: running.address().to_string(),
        data_address,
    };
    let options = CallOptions {
        timeout: Some(CONNECT),
        wait_for_ready: true,
        ..CallOptions::default()
    };
    let registry = RegistryClient::new(Channel::to(registry)).with(options);
    let answer = registry.connect(&args).await;
    answer.map_err(|e| format!("nobody waits for this worker: {e}"))?;
    hosted.abandoned(orphan).await;
    Err("nobody has listened for too long".into())
}
