//! Readiness is pushed, and attributed by the kernel.

use std::process::Command;
use std::time::Duration;

use supervision::{Runtime, identity};
use tokio::time::timeout;

use crate::common::{DEADLINE, World, shell, until};

/// A datagram by a shell's means: python, which the machine may lack, is not needed.
const SEND: &str = "exec perl -MSocket -e 'socket(S, PF_UNIX, SOCK_DGRAM, 0) or die $!; \
    send(S, \"READY=1\\nSTATUS=warm\", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!; \
    sleep 300'";

fn world() -> World {
    World::with(|settings| {
        let dir = settings.log_dir.parent().unwrap();
        settings.notify_socket = Some(dir.join("notify"));
    })
}

#[tokio::test]
async fn ready_is_attributed_to_the_instance_that_said_it() {
    let world = world();
    let silent = world
        .runtime
        .spawn(shell("a.0.1", "exec sleep 300"))
        .await
        .unwrap();
    let ready = world.runtime.spawn(shell("b.0.1", SEND)).await.unwrap();
    timeout(DEADLINE, ready.ready()).await.unwrap();
    assert_eq!(ready.notice().status.as_deref(), Some("warm"));
    assert!(!silent.notice().ready);
    for running in [silent, ready] {
        world.runtime.kill_now(&running).await.unwrap();
    }
}

#[tokio::test]
async fn a_child_of_the_main_process_may_say_it_and_a_stranger_may_not() {
    for cgroups in [supervision::Cgroups::Detect, supervision::Cgroups::Off] {
        let world = World::with(|settings| {
            let dir = settings.log_dir.parent().unwrap();
            settings.notify_socket = Some(dir.join("notify"));
            settings.cgroups = cgroups;
        });
        let script = format!("sh -c \"$0\" & wait; {}", "exit");
        let launch = shell("a.0.1", &script).arg(SEND);
        let running = world.runtime.spawn(launch).await.unwrap();
        timeout(DEADLINE, running.ready()).await.unwrap();
        world.runtime.kill_now(&running).await.unwrap();
        let silent = world
            .runtime
            .spawn(shell("a.0.2", "exec sleep 300"))
            .await
            .unwrap();
        let socket = world.settings.notify_socket.clone().unwrap();
        let mut stranger = Command::new("sh")
            .args(["-c", SEND])
            .env("NOTIFY_SOCKET", socket)
            .spawn()
            .unwrap();
        assert_eq!(world.runtime.instance_of(stranger.id()), None);
        // A message of our own follows the stranger's, so that one is known to have been read.
        let probe = world
            .runtime
            .spawn(shell("a.0.3", &format!("sleep 0.1; {SEND}")));
        let probe = probe.await.unwrap();
        timeout(DEADLINE, probe.ready()).await.unwrap();
        assert!(!silent.notice().ready);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        for running in [silent, probe] {
            world.runtime.kill_now(&running).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_restarted_supervisor_hears_on_the_same_path() {
    let world = world();
    let again = supervision::ProcessRuntime::start(world.settings.clone()).unwrap();
    let running = again.spawn(shell("a.0.1", SEND)).await.unwrap();
    timeout(DEADLINE, running.ready()).await.unwrap();
    assert!(identity::is_alive(running.identity()).unwrap());
    again.stop(&running, Duration::from_secs(5)).await.unwrap();
    until("its end", || running.exited()).await;
}
