//! A session of an operator with a real fleet: scheduling, discovery and echo as they are, in a
//! folder of their own and on ports that were free.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "each test uses a part of what the tests of the faces share"
)]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use chassis::testing::{Process, Start};
use support::command_at;
use tempfile::TempDir;

/// A fleet that ends, with everything it started, when this is dropped.
struct Fleet {
    process: Process,
    discovery: SocketAddr,
    folder: TempDir,
}

impl Fleet {
    fn start() -> Self {
        Self::with(&[])
    }

    /// With these services beside discovery and echo.
    fn with(others: &[&str]) -> Self {
        let bins = chassis::testing::workspace_binaries();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports = free_ports(3 + others.len());
        let spec = |name: &str, bin: &str, ports: &[u16], after: &str| {
            format!(
                "[[service]]\nname = \"{name}\"\nreplicas = {}\nafter = [{after}]\n\
                 [service.artifact.command]\nprogram = \"{}\"\n[service.ports]\n\
                 well_known = {ports:?}\n\n",
                ports.len(),
                bins.join(bin).display()
            )
        };
        let mut specs = spec("discovery", "discovery", &ports[..1], "");
        specs += &spec("echo", "server_v1", &ports[1..3], "\"discovery\"");
        for (name, port) in others.iter().zip(&ports[3..]) {
            specs += &spec(name, name, &[*port], "\"discovery\"");
        }
        let file = folder.path().join("fleet.toml");
        std::fs::write(&file, specs).expect("the folder can be written");
        let process = Start::binary(&bins.join("scheduling").display().to_string())
            .env("ORRERY_DATA", folder.path().join("data").display())
            .arg("--fleet")
            .arg(&file.display().to_string())
            .ready();
        Self {
            process,
            discovery: ([127, 0, 0, 1], ports[0]).into(),
            folder,
        }
    }

    /// Runs a command line that must exit with `code`; returns stdout and stderr.
    fn run(&self, code: i32, line: &str) -> (String, String) {
        let folder = self.folder.path();
        let output = command_at(self.process.address(), self.discovery, folder, line)
            .stdin(Stdio::null())
            .output()
            .expect("there is a shell");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{line}:\n{stdout}\n{stderr}"
        );
        (stdout, stderr)
    }

    /// Runs a command line that must succeed and whose data must have all of this.
    fn sees(&self, line: &str, texts: &[&str]) -> String {
        let (stdout, stderr) = self.run(0, line);
        for text in texts {
            assert!(
                stdout.contains(text),
                "{line}: no {text:?} in\n{stdout}\n{stderr}"
            );
        }
        stdout
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.process.terminate();
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let free = || TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let held: Vec<TcpListener> = (0..count).map(|_| free()).collect();
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    held.iter().map(|l| port(l).expect("it is bound")).collect()
}

#[test]
fn an_operator_steers_a_real_fleet_from_the_command_line() {
    let fleet = Fleet::start();

    // It is there, and well.
    fleet.sees("orrery wait echo", &["echo: 2 of 2 healthy"]);
    fleet.sees("orrery wait discovery", &["discovery: 1 of 1 healthy"]);
    fleet.sees(
        "orrery status --check",
        &["The fleet is well: 3 of 3 instances of 2 services"],
    );
    fleet.sees("orrery ps echo", &["echo.0.1", "echo.1.1", "healthy"]);
    fleet.sees("orrery nodes", &["ready"]);

    // More of it; the plan says so first.
    fleet.sees(
        "orrery plan --scale echo=4",
        &["create", "echo.2.1", "echo.3.1"],
    );
    fleet.sees("orrery scale echo 4", &["echo: 2 -> 4 replicas"]);
    fleet.sees("orrery wait echo", &["echo: 4 of 4 healthy"]);

    // Stopping one gets a new one in its place.
    fleet.sees("orrery stop echo.1", &["echo.1.1: "]);
    fleet.sees("orrery wait echo", &["healthy"]);
    fleet.sees("orrery ps echo --all", &["echo.1.1", "stopped", "echo.1.2"]);
    fleet.sees(
        "orrery events echo",
        &["echo.1.1", "stopping", "stopped", "echo.1.2", "started"],
    );
    fleet.sees("orrery explain echo.1", &["echo.1.2"]);
    fleet.sees("orrery logs echo.1", &["serves"]);

    // Any procedure, found through discovery.
    fleet.sees("orrery describe echo", &["101", "echo"]);
    let says = "orrery call echo echo '{\"message\": \"hello\"}' -o jsonl";
    assert_eq!(fleet.sees(says, &[]), "{\"message\":\"hello\"}\n");

    // A spec of one's own: written, planned, applied, changed, withdrawn.
    let spec = "name = \"sleeper\"\nreplicas = 2\n[artifact.command]\nprogram = \"sleep\"\n\
                args = [\"600\"]\n[ports]\nwanted = false\n[probes.readiness]\nkind = \"none\"\n\
                [probes.liveness]\nkind = \"none\"\n";
    std::fs::write(fleet.folder.path().join("sleeper.toml"), spec).expect("it can be written");
    fleet.sees(
        "orrery plan sleeper.toml",
        &["create", "sleeper.0.1", "sleeper.1.1"],
    );
    fleet.sees("orrery apply sleeper.toml --wait 20s", &["sleeper", "2/2"]);
    let (_, words) = fleet.run(0, "orrery apply sleeper.toml");
    assert!(words.contains("nothing changed"), "{words}");
    fleet.sees(
        "orrery spec sleeper > again.toml && orrery plan again.toml",
        &["nothing would"],
    );
    fleet.sees(
        "orrery restart sleeper.0 && orrery wait sleeper",
        &["2 of 2 healthy"],
    );
    fleet.sees(
        "orrery delete sleeper && orrery wait --for gone sleeper",
        &["sleeper: gone"],
    );

    // The same from a spec that was made for us.
    fleet.sees(
        "orrery init napper -- sleep 600 && orrery apply napper.toml --wait 20s",
        &["napper", "1/1"],
    );
    let (_, words) = fleet.run(1, "orrery init napper");
    assert!(words.contains("hint: give another name"), "{words}");
    fleet.sees(
        "orrery delete napper && orrery wait --for gone napper",
        &["gone"],
    );
    fleet.run(3, "orrery ui echo");

    // What is refused is refused by the real scheduling with the same codes.
    let (_, words) = fleet.run(5, "orrery scale echo -- -3");
    assert!(words.contains("hint: "), "{words}");
    let (_, words) = fleet.run(3, "orrery scale ehco 3");
    assert!(words.contains("did you mean echo?"), "{words}");
    fleet.run(3, "orrery stop echo.9.9");
    fleet.run(3, "orrery explain ehco");
    fleet.run(5, "orrery call echo echo '{\"mesage\": 1}'");

    // Down again.
    fleet.sees(
        "orrery scale echo 1 && orrery wait echo",
        &["echo: 1 of 1 healthy"],
    );
}

#[test]
fn a_release_is_begun_followed_and_taken_back_from_the_command_line() {
    let fleet = Fleet::with(&["release"]);
    let bins = chassis::testing::workspace_binaries();
    let bins = bins.display();
    fleet.sees("orrery wait echo && orrery wait release", &["healthy"]);
    let v2 = "release start echo --settle 100ms";
    fleet.sees(
        &format!("orrery {v2} --env LEVEL=2 --watch -- {bins}/server_v2"),
        &["r-1: echo is running, step 1", "r-1: echo is done"],
    );
    fleet.sees("orrery release list echo", &["r-1", "done", "LEVEL=2"]);
    fleet.sees(
        "orrery release show r-1",
        &["from", "server_v1", "to", "server_v2"],
    );

    // By hand, and back again.
    fleet.sees(
        &format!("orrery {v2} --by-hand -- {bins}/server_v1"),
        &["r-2: echo is running"],
    );
    fleet.sees("orrery release pause r-2", &["(paused)"]);
    fleet.sees("orrery release resume r-2", &["running"]);
    fleet.sees("orrery release rollback r-2 --why changed", &["changed"]);
    let (said, _) = fleet.run(1, "orrery release watch r-2");
    assert!(said.contains("rolled-back"), "{said}");

    // What cannot be is refused with what to do.
    let (_, words) = fleet.run(2, &format!("orrery {v2} --bin server_v2"));
    assert!(
        words.contains("hint: say which: --manifest-path"),
        "{words}"
    );
    fleet.run(3, "orrery release show r-9");
    let (_, words) = fleet.run(3, "orrery release start ehco -- true");
    assert!(words.contains("did you mean echo?"), "{words}");
}

#[test]
fn tokens_and_roles_are_made_and_taken_back_from_the_command_line() {
    let fleet = Fleet::with(&["security"]);
    fleet.sees("orrery wait security", &["healthy"]);
    fleet.sees(
        "orrery role set releaser release:*:write",
        &["role releaser"],
    );
    fleet.sees(
        "orrery role list",
        &["releaser", "release:*:write", "viewer"],
    );
    let token = fleet.sees("orrery token create ci --role releaser --ttl 1h", &[]);
    let listed = fleet.sees("orrery token list", &["ci", "releaser", "good for"]);
    assert!(!listed.contains(token.trim()), "a token is shown once");
    let listed = fleet.sees("orrery token list -o json", &[]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("it is JSON");
    let of_ci = listed
        .as_array()
        .and_then(|all| all.iter().find(|t| t["name"] == "ci"));
    let id = of_ci
        .and_then(|token| token["id"].as_str())
        .expect("ci is listed");
    fleet.run(5, "orrery role delete releaser");
    fleet.sees(&format!("orrery token revoke {id}"), &["revoked"]);
    fleet.sees("orrery token list --all", &["revoked"]);
}

#[test]
fn the_page_of_something_is_where_ui_says_it_is() {
    let fleet = Fleet::with(&["dashboard"]);
    fleet.sees(
        "orrery wait dashboard && orrery wait echo",
        &["1 of 1 healthy"],
    );
    fleet.sees("orrery ui -q", &["http://127.0.0.1:"]);
    fleet.sees("orrery ui echo -q", &["/services/echo"]);
    fleet.sees("orrery ui echo.1 -q", &["/instances/echo.1.1"]);
    fleet.run(3, "orrery ui ehco");
}

#[test]
fn call_finds_a_service_while_discovery_is_away() {
    let fleet = Fleet::start();
    fleet.sees("orrery wait echo", &["healthy"]);
    let line = "orrery call echo echo '{\"message\": \"still\"}' --discovery 127.0.0.1:1";
    fleet.sees(line, &["still"]);
}
