//! Calls echo from the command line: one line for each reply, with version and latency.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use discovery::Resolver;
use echo::{ECHO_PROCEDURE, EchoArgs, EchoReply, SYSTEM_NAME, VERSION_METADATA};
use rpc::{Access, CallOptions, Channel, Error};

/// How long discovery may take to say where echo is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls echo. Prints the reply, the version of the server (1 says none), and the latency.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to say
    #[arg(long, default_value = "hello")]
    message: String,
    /// How often
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// Where echo listens; discovery is asked otherwise
    #[arg(long)]
    address: Option<SocketAddr>,
    /// Where discovery listens
    #[arg(long, env = "ORRERY_DISCOVERY", default_value = discovery::SYSTEM_ADDRESS)]
    discovery: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::trust::show_operator_token();
    match talk(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            if !e.hint.is_empty() {
                eprintln!("  hint: {}", e.hint);
            }
            ExitCode::FAILURE
        }
    }
}

async fn talk(arguments: Arguments) -> Result<(), Error> {
    let channel = match arguments.address {
        Some(address) => Channel::to(address),
        None => find(arguments.discovery).await,
    };
    let args = EchoArgs {
        message: arguments.message,
    };
    let options = CallOptions::default();
    for _ in 0..arguments.count {
        let started = Instant::now();
        let reply = channel
            .call_with_metadata::<_, EchoReply>(ECHO_PROCEDURE, Access::Read, &args, &options)
            .await?;
        let latency = started.elapsed();
        let version = reply.metadata.text(VERSION_METADATA).unwrap_or("-");
        let line = format!("{}\t{version}\t{latency:.0?}\n", reply.value.message);
        if std::io::stdout().write_all(line.as_bytes()).is_err() {
            // Nobody reads on, as in `client --count 100 | head`.
            break;
        }
    }
    Ok(())
}

async fn find(discovery: SocketAddr) -> Channel {
    let resolver = Resolver::new(discovery);
    if !resolver.ready(SYSTEM_NAME, PATIENCE).await {
        eprintln!("discovery at {discovery} does not answer; `--address` calls echo directly");
    }
    resolver.channel(SYSTEM_NAME)
}
