//! Start, exit, stop: what an instance is promised from its first to its last moment.

use std::fs;
use std::time::{Duration, Instant};

use crate::common::{DEADLINE, World, id, lines_of, pid_in, runs, shell, until};
use model::Exit;
use supervision::{Launch, Runtime, SpawnError};
use tokio::time::timeout;

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_exit_is_told_with_its_code_or_signal() {
    let world = World::new();
    for (n, (script, exit)) in [
        ("exit 0", Exit::Code(0)),
        ("exit 42", Exit::Code(42)),
        ("kill -9 $$", Exit::Signal(9)),
        ("kill -SEGV $$", Exit::Signal(11)),
    ]
    .into_iter()
    .enumerate()
    {
        let running = world
            .runtime
            .spawn(shell(&format!("a.0.{n}"), script))
            .await
            .unwrap();
        let told = timeout(DEADLINE, running.exit()).await.unwrap();
        assert_eq!(told, exit, "{script}");
        assert_eq!(running.exited(), Some(exit));
        assert!(!runs(running.identity().pid));
    }
}

#[tokio::test]
async fn a_killed_instance_is_known_to_have_ended_within_milliseconds() {
    let world = World::new();
    let mut times = Vec::new();
    for n in 0..20 {
        let launch = Launch::new(id(&format!("a.0.{n}")), "sleep").arg("60");
        let running = world.runtime.spawn(launch).await.unwrap();
        let pid = i32::try_from(running.identity().pid).unwrap();
        let killed = Instant::now();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert_eq!(running.exit().await, Exit::Signal(9));
        times.push(killed.elapsed());
    }
    times.sort();
    println!("exit told after {:?} (median of 20)", times[10]);
    assert!(times[10] < Duration::from_millis(50), "{times:?}");
}

#[tokio::test]
async fn stop_ends_on_sigterm_and_tells_how() {
    let world = World::new();
    let script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let running = world.runtime.spawn(shell("a.0.1", script)).await.unwrap();
    lines_of(world.log_dir().join("a.0.1.out")).await;
    assert_eq!(
        world.runtime.stop(&running, GRACE).await.unwrap(),
        Exit::Code(7)
    );
    // Once more is no error.
    assert_eq!(
        world.runtime.stop(&running, GRACE).await.unwrap(),
        Exit::Code(7)
    );
}

async fn stop_kills_a_child_that_ignores_sigterm(world: World) {
    let script = "sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 1; done\" & wait";
    let running = world.runtime.spawn(shell("a.0.1", script)).await.unwrap();
    let stubborn = pid_in(world.log_dir().join("a.0.1.out")).await;
    world
        .runtime
        .stop(&running, Duration::from_millis(100))
        .await
        .unwrap();
    assert!(!runs(stubborn));
}

#[tokio::test]
async fn stop_kills_after_the_grace_whoever_ignores_sigterm() {
    stop_kills_a_child_that_ignores_sigterm(World::new()).await;
    stop_kills_a_child_that_ignores_sigterm(World::without_cgroups()).await;
}

#[tokio::test]
async fn a_stopped_process_is_woken_and_hears_sigterm() {
    let world = World::new();
    let running = world
        .runtime
        .spawn(Launch::new(id("a.0.1"), "sleep").arg("60"))
        .await
        .unwrap();
    let pid = running.identity().pid;
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(raw, rustix::process::Signal::STOP).unwrap();
    let exit = timeout(GRACE, world.runtime.stop(&running, GRACE))
        .await
        .unwrap();
    assert_eq!(exit.unwrap(), Exit::Signal(15));
    let running = world
        .runtime
        .spawn(Launch::new(id("a.0.2"), "sleep").arg("60"))
        .await
        .unwrap();
    let raw = i32::try_from(running.identity().pid).unwrap();
    let raw = rustix::process::Pid::from_raw(raw).unwrap();
    rustix::process::kill_process(raw, rustix::process::Signal::STOP).unwrap();
    assert_eq!(
        world.runtime.kill_now(&running).await.unwrap(),
        Exit::Signal(9)
    );
}

/// `setsid` twice away from its ancestors, with no output that could end it.
const DAEMON: &str = "setsid sh -c 'sleep 300 & echo $! > daemon.pid' </dev/null; ";

async fn a_daemon_dies_with_its_slot(world: World, then: &str) {
    let mut launch = shell("a.0.1", &format!("{DAEMON}{then}"));
    launch.working_dir = Some(world.dir.path().to_owned());
    let running = world.runtime.spawn(launch).await.unwrap();
    let daemon = pid_in(world.file("daemon.pid")).await;
    if then.starts_with("exit") {
        timeout(GRACE, running.exit()).await.unwrap();
        until("the daemon's end", || (!runs(daemon)).then_some(())).await;
    } else {
        assert!(runs(daemon));
        world.runtime.stop(&running, GRACE).await.unwrap();
    }
    assert!(!runs(daemon));
}

#[tokio::test]
async fn a_daemonised_grandchild_dies_with_its_slot() {
    for then in ["exec sleep 300", "exit 3"] {
        a_daemon_dies_with_its_slot(World::new(), then).await;
        a_daemon_dies_with_its_slot(World::without_cgroups(), then).await;
    }
}

#[tokio::test]
async fn a_second_spawn_of_a_running_instance_is_refused() {
    let world = World::new();
    let running = world
        .runtime
        .spawn(shell("a.0.1", "exec sleep 60"))
        .await
        .unwrap();
    let refused = world
        .runtime
        .spawn(shell("a.0.1", "exit"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, SpawnError::AlreadyRunning { .. }),
        "{refused}"
    );
    world.runtime.kill_now(&running).await.unwrap();
    world.runtime.spawn(shell("a.0.1", "exit")).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_started_is_told_in_words_and_leaves_nothing() {
    let world = World::new();
    let text = world.file("text");
    fs::write(&text, "not a program").unwrap();
    let spawn = |launch: Launch| world.runtime.spawn(launch);
    let missing = spawn(Launch::new(id("a.0.1"), "/nowhere/x"))
        .await
        .unwrap_err();
    assert!(
        matches!(missing, SpawnError::ProgramNotFound { .. }),
        "{missing}"
    );
    let text = spawn(Launch::new(id("a.0.1"), text)).await.unwrap_err();
    assert!(matches!(text, SpawnError::NotExecutable { .. }), "{text}");
    let mut nowhere = shell("a.0.1", "exit");
    nowhere.working_dir = Some("/nowhere".into());
    let nowhere = spawn(nowhere).await.unwrap_err();
    assert!(
        matches!(nowhere, SpawnError::WorkingDir { .. }),
        "{nowhere}"
    );
    let nul = spawn(shell("a.0.1", "exit").arg("a\0b")).await.unwrap_err();
    assert!(
        matches!(nul, SpawnError::Invalid { field: "args", .. }),
        "{nul}"
    );
    assert!(world.runtime.survivors().await.unwrap().is_empty());
    for error in [missing, text, nowhere, nul] {
        assert!(!error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn it_sees_the_environment_it_was_given_and_no_secret_of_ours() {
    let world = World::new();
    // SAFETY: no other thread of this process reads or writes this variable.
    unsafe { std::env::set_var("SUPERVISOR_SECRET", "hunter2") };
    let mut launch = shell("a.0.1", "env; echo end").env("MINE", "a b=c");
    launch.port = Some(12_345);
    world.runtime.spawn(launch).await.unwrap().exit().await;
    let mut lines = lines_of(world.log_dir().join("a.0.1.out")).await;
    assert_eq!(lines.pop().as_deref(), Some("end"));
    let has = |line: &str| lines.iter().any(|l| l == line);
    assert!(
        has("MINE=a b=c") && has("PORT=12345") && has("ORRERY_INSTANCE=a.0.1"),
        "{lines:?}"
    );
    let allowed = |name: &str| {
        // The shell adds the last three itself.
        let ours = [
            "MINE",
            "PORT",
            "ORRERY_INSTANCE",
            "ORRERY_SCOPE",
            "PWD",
            "SHLVL",
            "_",
        ];
        ours.contains(&name) || supervision::INHERITED.contains(&name)
    };
    for line in &lines {
        let name = line.split('=').next().unwrap();
        assert!(allowed(name), "{line} was not given to it");
    }
}

#[tokio::test]
async fn it_has_file_descriptors_0_to_2_default_signals_and_a_session_of_its_own() {
    let world = World::new();
    // One that is not close-on-exec, as a careless library would open it.
    let null = fs::File::open("/dev/null").unwrap();
    let careless = rustix::io::dup(&null).unwrap();
    let script = "ls -l /proc/self/fd | grep -o '[0-9]* -> .*'; \
        grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; echo end";
    let running = world.runtime.spawn(shell("a.0.1", script)).await.unwrap();
    let pid = running.identity().pid;
    running.exit().await;
    drop(careless);
    let lines = lines_of(world.log_dir().join("a.0.1.out")).await;
    let open: Vec<&String> = lines.iter().filter(|line| line.contains(" -> ")).collect();
    // The fourth is ls itself, looking at the directory.
    assert_eq!(open.len(), 4, "{lines:?}");
    assert!(
        open[0].ends_with("/dev/null") && open[2].ends_with("a.0.1.err"),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"SigBlk:\t0000000000000000".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"SigIgn:\t0000000000000000".to_owned()),
        "{lines:?}"
    );
    let script = "cut -d' ' -f1,5,6 /proc/$$/stat; exec sleep 60";
    let running = world.runtime.spawn(shell("a.0.2", script)).await.unwrap();
    let ids = lines_of(world.log_dir().join("a.0.2.out")).await;
    let own = running.identity().pid;
    assert_ne!(own, pid);
    assert_eq!(ids, [format!("{own} {own} {own}")]);
    world.runtime.kill_now(&running).await.unwrap();
}

#[tokio::test]
async fn usage_counts_all_processes_of_an_instance() {
    for world in [World::new(), World::without_cgroups()] {
        let script = "sh -c 'while :; do :; done' & exec sleep 60";
        let running = world.runtime.spawn(shell("a.0.1", script)).await.unwrap();
        let usage = until("100 ms of CPU", || {
            let usage = world.runtime.usage(&running).unwrap();
            (usage.cpu_time_ms >= 100).then_some(usage)
        })
        .await;
        assert_eq!(usage.pids, 2);
        assert!(usage.rss_bytes > 100_000, "{usage:?}");
        world.runtime.kill_now(&running).await.unwrap();
        assert!(world.runtime.usage(&running).is_err());
    }
}

const STARVE: &str = "SUPERVISION_TEST_STARVE";

/// In a process of its own, because the limit holds for the whole process: the next test starts it.
#[tokio::test]
async fn supervisor_that_runs_out_of_file_descriptors() {
    if std::env::var_os(STARVE).is_none() {
        return;
    }
    let world = World::new();
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = |soft| {
        let rlimit = rustix::process::Rlimit {
            current: Some(soft),
            maximum: before.maximum,
        };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, rlimit).unwrap();
    };
    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
    let mut refused = 0;
    for spare in 0..16 {
        limit(open + spare);
        let launch = Launch::new(id(&format!("a.0.{spare}")), "/bin/sleep").arg("300");
        match world.runtime.spawn(launch).await {
            Ok(running) => assert!(world.runtime.kill_now(&running).await.is_ok()),
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                refused += 1;
            }
        }
    }
    limit(before.current.unwrap());
    assert!((3..16).contains(&refused), "{refused} of 16 were refused");
    assert!(world.runtime.survivors().await.unwrap().is_empty());
    world
        .runtime
        .spawn(shell("b.0.1", "exit"))
        .await
        .unwrap()
        .exit()
        .await;
}

#[test]
fn a_spawn_without_file_descriptors_to_spare_is_a_clean_error() {
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "life::supervisor_that_runs_out_of_file_descriptors",
        ])
        .env(STARVE, "1")
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
}
