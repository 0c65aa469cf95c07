//! Children outlive their supervisor, and the next one finds them again.

use std::process::{Command, Stdio};
use std::time::Duration;

use model::{Exit, ProcessIdentity};
use rustix::process::{Pid, Signal};
use supervision::{ProcessRuntime, Runtime, Settings, identity};
use tokio::time::timeout;

use crate::common::{DEADLINE, World, id, pid_in, runs, shell, until};

const GRACE: Duration = Duration::from_secs(10);
const AS_SUPERVISOR: &str = "SUPERVISION_TEST_SUPERVISE";

/// The supervisor that is going to be killed: this test binary, started by the tests below.
/// Without the variable this is no test of anything, and does nothing.
#[tokio::test]
async fn supervisor_process_for_the_other_tests() {
    let Ok(what) = std::env::var(AS_SUPERVISOR) else {
        return;
    };
    let parts: Vec<&str> = what.splitn(3, '\n').collect();
    let runtime = ProcessRuntime::start(Settings::new(parts[0], parts[1])).unwrap();
    let running = runtime.spawn(shell("a.0.1", parts[2])).await.unwrap();
    running.exit().await;
}

/// Starts `script` as `a.0.1` through another supervisor, and kills that one with SIGKILL.
async fn orphan_of_a_killed_supervisor(world: &World, script: &str) -> ProcessIdentity {
    let log_dir = world.log_dir();
    let what = format!("{}\n{}\n{script}", world.settings.scope, log_dir.display());
    let mut supervisor = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "adoption::supervisor_process_for_the_other_tests",
        ])
        .env(AS_SUPERVISOR, what)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = pid_in(log_dir.join("a.0.1.out")).await;
    let identity = identity::of(pid).unwrap().unwrap();
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    identity
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn a_child_survives_sigkill_of_its_supervisor_and_the_next_one_stops_it() {
    let world = World::new();
    let identity = orphan_of_a_killed_supervisor(&world, "echo $$; exec sleep 300").await;
    assert!(identity::is_alive(&identity).unwrap());
    let adopted = world
        .runtime
        .adopt(id("a.0.1"), identity.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(adopted.identity(), &identity);
    assert_eq!(world.runtime.usage(&adopted).unwrap().pids, 1);
    let again = world
        .runtime
        .adopt(id("a.0.1"), identity.clone())
        .await
        .unwrap();
    assert!(again.is_some(), "adopting twice gives the same process");
    assert_eq!(
        world.runtime.stop(&adopted, GRACE).await.unwrap(),
        Exit::Signal(15)
    );
    assert!(!identity::is_alive(&identity).unwrap());
}

#[tokio::test]
async fn the_exit_code_of_an_adopted_process_is_known() {
    let world = World::new();
    let script = "trap 'exit 42' USR1; echo $$; while :; do sleep 0.02; done";
    let identity = orphan_of_a_killed_supervisor(&world, script).await;
    let adopted = world
        .runtime
        .adopt(id("a.0.1"), identity.clone())
        .await
        .unwrap()
        .unwrap();
    signal(identity.pid, Signal::USR1);
    assert_eq!(
        timeout(DEADLINE, adopted.exit()).await.unwrap(),
        Exit::Code(42)
    );
}

#[tokio::test]
async fn a_process_that_ended_while_nobody_watched_is_not_adopted_and_its_leftovers_are_killed() {
    let world = World::new();
    let script = "echo $$; sleep 300 & echo $! > \"$TMPDIR/left.pid\"; exec sleep 300";
    let dir = world.dir.path().display();
    let script = format!("TMPDIR={dir}; {script}");
    let identity = orphan_of_a_killed_supervisor(&world, &script).await;
    let left = pid_in(world.file("left.pid")).await;
    signal(identity.pid, Signal::KILL);
    until("its end and reaping", || {
        identity::of(identity.pid).unwrap().is_none().then_some(())
    })
    .await;
    assert!(runs(left));
    let adopted = world.runtime.adopt(id("a.0.1"), identity).await.unwrap();
    assert!(adopted.is_none());
    assert!(!runs(left));
}

#[tokio::test]
async fn a_pid_that_belongs_to_another_process_by_now_is_neither_adopted_nor_touched() {
    let world = World::new();
    let mut stranger = Command::new("sleep").arg("300").spawn().unwrap();
    let real = identity::of(stranger.id()).unwrap().unwrap();
    let earlier = ProcessIdentity {
        start_ticks: real.start_ticks - 1,
        ..real.clone()
    };
    let before_reboot = ProcessIdentity {
        boot_id: "another boot".to_owned(),
        ..real.clone()
    };
    for wrong in [earlier, before_reboot] {
        assert!(
            world
                .runtime
                .adopt(id("a.0.1"), wrong)
                .await
                .unwrap()
                .is_none()
        );
    }
    assert!(identity::is_alive(&real).unwrap());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn what_was_started_and_never_recorded_is_found() {
    let world = World::new();
    let identity = orphan_of_a_killed_supervisor(&world, "echo $$; sleep 300 & wait").await;
    let survivors = world.runtime.survivors().await.unwrap();
    assert_eq!(survivors.len(), 1, "{survivors:?}");
    assert_eq!(survivors[0].id, id("a.0.1"));
    assert_eq!(survivors[0].identity, identity);
    let running = world
        .runtime
        .adopt(id("a.0.1"), identity)
        .await
        .unwrap()
        .unwrap();
    world.runtime.kill_now(&running).await.unwrap();
    assert!(world.runtime.survivors().await.unwrap().is_empty());
}
