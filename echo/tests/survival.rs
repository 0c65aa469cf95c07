//! What callers and instances of a service live through: real processes, really killed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Process, Start, fixed_address, workspace_binary};
use discovery::{Freshness, Resolved, Resolver};
use echo::{EchoArgs, EchoClient};
use rpc::CallOptions;
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const SERVER: &str = env!("CARGO_BIN_EXE_server_v1");

fn start_discovery(address: SocketAddr) -> Process {
    Start::binary(&workspace_binary("discovery"))
        .env("PORT", address.port())
        .ready()
}

fn start_echo(discovery: SocketAddr, index: u32) -> Process {
    Start::binary(SERVER)
        .env("ORRERY_DISCOVERY", discovery)
        .env("ORRERY_INSTANCE", format!("echo.{index}.1"))
        .ready()
}

fn live_with(count: usize) -> impl FnMut(&Resolved) -> bool {
    move |resolved| resolved.freshness == Freshness::Live && resolved.instances.len() == count
}

fn epoch(resolved: &Resolved, instance: &str) -> Option<u64> {
    let mut all = resolved.instances.iter();
    all.find(|i| i.registration.instance == instance)
        .map(|i| i.epoch)
}

/// Calls echo over and over until it is told to stop.
struct Caller {
    calls: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    calling: JoinHandle<Result<(), rpc::Error>>,
}

impl Caller {
    fn start(resolver: &Resolver) -> Self {
        let client = EchoClient::new(resolver.channel(echo::SYSTEM_NAME));
        let (stop, stopped) = watch::channel(false);
        let (count, calls) = watch::channel(0);
        let calling = tokio::spawn(async move {
            while !*stopped.borrow() {
                let message = format!("call {}", *count.borrow());
                let args = EchoArgs { message };
                assert_eq!(client.echo(&args).await?.message, args.message);
                count.send_modify(|calls| *calls += 1);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        });
        Self {
            calls,
            stop,
            calling,
        }
    }

    /// Waits until some more calls have been answered.
    async fn goes_on(&mut self) {
        let enough = *self.calls.borrow() + 20;
        let waited = timeout(PATIENCE, self.calls.wait_for(|calls| *calls >= enough)).await;
        waited
            .expect("calls are answered in time")
            .expect("no call is lost");
    }

    /// Stops; fails if any call has failed.
    async fn end(self) {
        self.stop.send_replace(true);
        self.calling.await.unwrap().expect("no call is lost");
    }
}

/// Issue 2, acceptance line 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_7_while_discovery_is_killed_and_comes_back_warm_callers_lose_no_call() {
    let address = fixed_address();
    let mut discovery = start_discovery(address);
    let _servers: Vec<_> = (0..3).map(|index| start_echo(address, index)).collect();
    let resolver = Resolver::new(address);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(3)).await);
    let mut caller = Caller::start(&resolver);
    caller.goes_on().await;
    for round in 0..3 {
        let before = resolver.resolve("echo");
        discovery.kill();
        let stale = |r: &Resolved| r.freshness != Freshness::Live;
        assert!(resolver.wait_until("echo", PATIENCE, stale).await);
        assert_eq!(
            resolver.resolve("echo").instances,
            before.instances,
            "all stay"
        );
        caller.goes_on().await;
        discovery = start_discovery(address);
        let back = Instant::now();
        let all_anew = |r: &Resolved| {
            assert_eq!(r.instances.len(), 3, "nobody is dropped at any time");
            let anew =
                |n| epoch(r, &format!("echo.{n}.1")) > epoch(&before, &format!("echo.{n}.1"));
            r.freshness == Freshness::Live && (0..3).all(anew)
        };
        assert!(resolver.wait_until("echo", PATIENCE, all_anew).await);
        println!(
            "round {round}: all registered again after {:?}",
            back.elapsed()
        );
        caller.goes_on().await;
    }
    caller.end().await;
}

/// The other side of keeping everybody for a while: who died meanwhile is forgotten in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_died_while_discovery_was_away_costs_no_repeatable_call_and_is_forgotten() {
    let address = fixed_address();
    let mut discovery = start_discovery(address);
    let mut servers: Vec<_> = (0..3).map(|index| start_echo(address, index)).collect();
    let resolver = Resolver::new(address);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(3)).await);
    let mut caller = Caller::start(&resolver);
    caller.goes_on().await;
    discovery.kill();
    servers[0].kill();
    let _discovery = start_discovery(address);
    let settled = |r: &Resolved| {
        live_with(2)(r)
            && r.instances
                .iter()
                .all(|i| i.registration.instance != "echo.0.1")
    };
    assert!(resolver.wait_until("echo", PATIENCE, settled).await);
    caller.goes_on().await;
    caller.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_killed_costs_its_callers_no_repeatable_call() {
    let address = fixed_address();
    let _discovery = start_discovery(address);
    let mut servers: Vec<_> = (0..3).map(|index| start_echo(address, index)).collect();
    let resolver = Resolver::new(address);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(3)).await);
    let mut caller = Caller::start(&resolver);
    caller.goes_on().await;
    servers[0].kill();
    let killed = Instant::now();
    assert!(resolver.wait_until("echo", PATIENCE, live_with(2)).await);
    println!(
        "gone from the resolver {:?} after its end",
        killed.elapsed()
    );
    assert_eq!(servers[1].terminate().code(), Some(0));
    assert!(resolver.wait_until("echo", PATIENCE, live_with(1)).await);
    caller.goes_on().await;
    caller.end().await;
}

#[tokio::test]
async fn f2_a_stopped_instance_is_dropped_and_comes_back_with_a_new_epoch() {
    let address = fixed_address();
    let _discovery = start_discovery(address);
    let server = Start::binary(SERVER)
        .env("ORRERY_DISCOVERY", address)
        .env("ORRERY_INSTANCE", "echo.0.1")
        .env("ORRERY_LEASE_TTL", "600ms")
        .ready();
    let resolver = Resolver::new(address);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(1)).await);
    let before = resolver.resolve("echo");
    server.signal(Signal::STOP);
    let stopped = Instant::now();
    assert!(resolver.wait_until("echo", PATIENCE, live_with(0)).await);
    assert!(
        stopped.elapsed() < Duration::from_secs(5),
        "{:?}",
        stopped.elapsed()
    );
    server.signal(Signal::CONT);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(1)).await);
    let after = resolver.resolve("echo");
    assert!(epoch(&after, "echo.0.1") > epoch(&before, "echo.0.1"));
    let client = EchoClient::new(resolver.channel("echo"));
    client
        .echo(&EchoArgs {
            message: "back".into(),
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn an_instance_serves_without_discovery_and_registers_when_it_appears() {
    let address = fixed_address();
    let server = start_echo(address, 0);
    let client = EchoClient::new(server.channel());
    client
        .echo(&EchoArgs {
            message: "alone".into(),
        })
        .await
        .unwrap();
    server.says("not announced");
    let _discovery = start_discovery(address);
    let resolver = Resolver::new(address);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(1)).await);
}

/// A discovery that accepts connections and never answers must not hold up readiness for long.
#[tokio::test]
async fn an_instance_gets_ready_though_discovery_hangs() {
    let address = fixed_address();
    let discovery = start_discovery(address);
    discovery.signal(Signal::STOP);
    let server = start_echo(address, 0);
    assert!(
        server.ready_after() < Duration::from_secs(5),
        "{:?}",
        server.ready_after()
    );
    let client = EchoClient::new(server.channel());
    client
        .echo(&EchoArgs {
            message: "alone".into(),
        })
        .await
        .unwrap();
    discovery.signal(Signal::CONT);
    let resolver = Resolver::new(address);
    assert!(resolver.wait_until("echo", PATIENCE, live_with(1)).await);
}

#[tokio::test]
async fn a_warm_up_call_waits_for_the_first_answer_of_discovery() {
    let address = fixed_address();
    let _discovery = start_discovery(address);
    let _server = start_echo(address, 0);
    let client = EchoClient::new(Resolver::new(address).channel("echo"));
    let patient = client.with(CallOptions {
        wait_for_ready: true,
        ..CallOptions::default()
    });
    let reply = patient
        .echo(&EchoArgs {
            message: "cold".into(),
        })
        .await
        .unwrap();
    assert_eq!(reply.message, "cold");
}

#[test]
fn the_command_line_client_finds_echo_through_discovery() {
    let address = fixed_address();
    let _discovery = start_discovery(address);
    let _server = start_echo(address, 0);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_client"))
        .env("ORRERY_DISCOVERY", address.to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stdout.starts_with(b"hello\t-\t"));
}
