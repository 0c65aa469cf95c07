//! A secret reaches its process, and nobody else.

use std::fs;
use std::path::Path;

use model::Exit;
use supervision::{Launch, Runtime, SecretValue};

use crate::common::{World, id, lines_of, shell};

/// Known text, found wherever it does not belong.
const VALUE: &str = "c0rrect-h0rse-battery";

fn with_secret(name: &str, script: &str) -> Launch {
    let mut launch = shell(name, script);
    let value = SecretValue::new(VALUE.as_bytes().to_vec());
    launch.secrets.insert("DB".to_owned(), value);
    launch
}

#[tokio::test]
async fn a_process_reads_its_secret_from_a_file_in_memory_as_often_as_it_likes() {
    let world = World::new();
    let script = "for _ in 1 2; do sha256sum < /proc/self/fd/$ORRERY_SECRET_DB_FD; done";
    let running = world.runtime.spawn(with_secret("a.0.1", script)).await;
    assert_eq!(running.unwrap().exit().await, Exit::Code(0));
    let said = lines_of(world.log_dir().join("a.0.1.out")).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], said[1]);
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("printf %s {VALUE} | sha256sum")])
        .output();
    let wanted = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(said[0], wanted.trim_end());
}

#[tokio::test]
async fn nobody_changes_it_and_no_other_file_stays_open() {
    let world = World::new();
    let script = "f=/proc/self/fd/$ORRERY_SECRET_DB_FD; ls /proc/self/fd | wc -l; \
                  echo more 2>/dev/null >> $f && echo changed; stat -Lc %a $f; \
                  stat -c %N $f | grep -c memfd";
    let running = world.runtime.spawn(with_secret("a.0.1", script)).await;
    running.unwrap().exit().await;
    let said = lines_of(world.log_dir().join("a.0.1.out")).await;
    // 0 to 2, the secret, and the folder that `ls` reads.
    assert_eq!(said, ["5", "400", "1"]);
}

#[tokio::test]
async fn it_is_in_no_argument_environment_log_or_debugging_output() {
    let world = World::new();
    let launch = with_secret("a.0.1", "echo up; exec sleep 60");
    assert!(!format!("{launch:?}").contains(VALUE));
    let running = world.runtime.spawn(launch).await.unwrap();
    lines_of(world.log_dir().join("a.0.1.out")).await;
    let process = format!("/proc/{}", running.identity().pid);
    for file in ["cmdline", "environ"] {
        let text = fs::read(Path::new(&process).join(file)).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(VALUE), "{file}");
        assert_eq!(text.contains("ORRERY_SECRET_DB_FD="), file == "environ");
    }
    for file in fs::read_dir(world.log_dir()).unwrap().flatten() {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        assert!(!text.contains(VALUE), "{:?}", file.path());
    }
    world.runtime.kill_now(&running).await.unwrap();
}

#[tokio::test]
async fn a_process_without_secrets_gets_none_of_anothers() {
    let world = World::new();
    let other = world.runtime.spawn(with_secret("a.0.1", "exec sleep 60"));
    let other = other.await.unwrap();
    let launch = Launch::new(id("b.0.1"), "/bin/sh").arg("-c");
    let launch = launch.arg("ls /proc/self/fd | wc -l; env | grep -c SECRET");
    world.runtime.spawn(launch).await.unwrap().exit().await;
    let said = lines_of(world.log_dir().join("b.0.1.out")).await;
    assert_eq!(said, ["4", "0"]);
    world.runtime.kill_now(&other).await.unwrap();
}
