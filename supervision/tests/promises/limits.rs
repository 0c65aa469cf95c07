//! A limit is enforced or refused. These need root and cgroups, and say so when they lack them.

use std::time::{Duration, Instant};

use model::{Exit, Limits};
use supervision::{Launch, Limit, Runtime, SpawnError};
use tokio::time::timeout;

use crate::common::{DEADLINE, World, lines_of, shell, until};

fn limited(script: &str, limits: Limits) -> Launch {
    Launch {
        limits,
        ..shell("a.0.1", script)
    }
}

fn memory(bytes: u64) -> Limits {
    Limits {
        memory_bytes: Some(bytes),
        ..Limits::default()
    }
}

/// A world that can enforce everything; `None`, said aloud, on a machine that cannot.
fn enforcing() -> Option<World> {
    let world = World::new();
    let can = world.runtime.limiter().enforcement();
    if can.cpu.is_ok() && can.memory.is_ok() && can.pids.is_ok() && can.kill.is_ok() {
        return Some(world);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI must be able to limit: {can:?}"
    );
    println!("SKIPPED: this machine cannot enforce limits here: {can:?}");
    None
}

#[tokio::test]
async fn the_memory_limit_holds_and_its_victim_is_said_to_be_out_of_memory() {
    let Some(world) = enforcing() else { return };
    let hungry = "exec tail /dev/zero";
    let running = world
        .runtime
        .spawn(limited(hungry, memory(32 << 20)))
        .await
        .unwrap();
    assert_eq!(
        timeout(DEADLINE, running.exit()).await.unwrap(),
        Exit::OutOfMemory
    );
    // Somebody else's SIGKILL is not taken for it.
    let mut launch = limited("kill -9 $$", memory(32 << 20));
    launch.id = crate::common::id("a.0.2");
    let running = world.runtime.spawn(launch).await.unwrap();
    assert_eq!(
        timeout(DEADLINE, running.exit()).await.unwrap(),
        Exit::Signal(9)
    );
}

#[tokio::test]
async fn a_fork_bomb_stops_at_the_pids_limit() {
    let Some(world) = enforcing() else { return };
    let limits = Limits {
        pids: Some(16),
        ..Limits::default()
    };
    let bomb = "i=0; while [ $i -lt 100 ]; do sleep 300 & i=$((i+1)); done; wait";
    let running = world.runtime.spawn(limited(bomb, limits)).await.unwrap();
    lines_of(world.log_dir().join("a.0.1.err")).await;
    // The shell may have given up by now; then its children are gone, too.
    if let Ok(usage) = world.runtime.usage(&running) {
        assert!(usage.pids <= 16, "{usage:?}");
    }
    world.runtime.kill_now(&running).await.unwrap();
}

#[tokio::test]
async fn the_cpu_limit_holds() {
    let Some(world) = enforcing() else { return };
    let limits = Limits {
        cpu_millicores: Some(200),
        ..Limits::default()
    };
    let running = world
        .runtime
        .spawn(limited("while :; do :; done", limits))
        .await
        .unwrap();
    let started = Instant::now();
    let used = until("a second of work", || {
        let waited = started.elapsed() > Duration::from_millis(1000);
        waited.then(|| world.runtime.usage(&running).unwrap().cpu_time_ms)
    })
    .await;
    let wall = u64::try_from(started.elapsed().as_millis()).unwrap();
    assert!(
        used > 0 && used <= wall / 4 + 50,
        "{used} ms of CPU in {wall} ms"
    );
    world.runtime.kill_now(&running).await.unwrap();
}

#[tokio::test]
async fn groups_are_gone_when_their_instances_are() {
    let Some(world) = enforcing() else { return };
    let limits = Limits {
        cpu_millicores: Some(500),
        memory_bytes: Some(64 << 20),
        pids: Some(10),
    };
    let running = world
        .runtime
        .spawn(limited("exec sleep 60", limits))
        .await
        .unwrap();
    let pid = running.identity().pid;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let ours = format!("orrery/{}/a.0.1", world.settings.scope);
    assert!(groups.contains(&ours), "{groups}");
    world.runtime.kill_now(&running).await.unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    for mount in mounts.lines().filter(|line| line.starts_with("cgroup")) {
        let group = std::path::Path::new(mount.split(' ').nth(1).unwrap()).join(&ours);
        assert!(!group.exists(), "{}", group.display());
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_enforced_is_refused_and_named() {
    let world = World::without_cgroups();
    let refused = world
        .runtime
        .spawn(limited("exit", memory(1 << 20)))
        .await
        .unwrap_err();
    let is_memory = matches!(
        refused,
        SpawnError::LimitNotEnforceable {
            which: Limit::Memory,
            ..
        }
    );
    assert!(is_memory);
    assert_eq!(
        refused.to_string(),
        "the memory limit cannot be enforced here: cgroups are switched off in the settings; \
         run without it, or on another node"
    );
    assert!(!refused.is_retryable());
}
