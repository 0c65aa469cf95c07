//! The page, asked over plain HTTP: the real program against a fleet that exists only as answers.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "each test uses a part of what the tests of the faces share"
)]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::Fake;

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The page at work.
struct Page {
    child: Child,
    address: SocketAddr,
}

impl Page {
    fn start(fake: &Fake) -> Self {
        let mut child = program(fake)
            .args(["--scheduling", &fake.scheduling().to_string()])
            .env("PORT", "0")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built");
        let stderr = child.stderr.take().expect("it is a pipe");
        let mut lines = BufReader::new(stderr).lines();
        let mut log = String::new();
        let address = loop {
            let line = lines
                .next()
                .expect("it says where it listens")
                .expect("text");
            log.push_str(&line);
            if let Some(address) = address_in(&line) {
                break address;
            }
        };
        // Nobody reads the rest; a pipe that is full would stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"))
    }

    fn ask(&self, head: &str) -> String {
        self.send(&format!("{head}Connection: close\r\n\r\n"))
    }

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Sends a form, as a page of ours or of somebody else would.
    fn post(&self, path: &str, origin: Option<&str>, form: &str) -> String {
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n"));
        let (origin, length) = (origin.unwrap_or_default(), form.len());
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{origin}Content-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n{form}"
        ))
    }

    /// What makes a form one of ours.
    fn csrf(&self) -> String {
        let page = self.get("/");
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().expect("a value").to_owned()
    }

    /// Waits until the page shows this.
    fn expect(&self, text: &str) -> String {
        self.expect_at("/", text)
    }

    fn expect_at(&self, path: &str, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if answer.contains(text) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "never saw {text:?}; saw {answer}"
            );
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Whoever is gone already needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(fake: &Fake) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dashboard"));
    command
        .env_clear()
        .env("ORRERY_DISCOVERY", fake.discovery().to_string())
        .stdin(Stdio::null());
    command
}

/// The address in chassis's line `dashboard serves address=127.0.0.1:12345`.
fn address_in(line: &str) -> Option<SocketAddr> {
    if !line.contains("serves") {
        return None;
    }
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{digits}").parse().ok()
}

#[test]
fn the_page_shows_services_and_instances_and_follows_what_changes() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    let answer = page.expect("4 of 5 instances of 2 services are healthy");
    assert!(answer.contains("Needs attention"), "{answer}");
    let instances = page.get("/instances");
    for text in ["echo.1.2", "caching.1.8", "exit code 101", "3m ago"] {
        assert!(instances.contains(text), "{text} is not in {instances}");
    }
    assert!(
        !instances.contains("echo.1.1"),
        "what was replaced is not shown"
    );
    fake.state().services[0].healthy = 2;
    page.expect("5 of 5 instances of 2 services are healthy");
}

#[test]
fn every_view_answers_has_its_command_and_its_json() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("4 of 5");
    for (path, command, shown) in [
        ("/", "orrery status", "caching"),
        ("/instances", "orrery ps", "echo.1.2"),
        (
            "/instances/echo.1.2",
            "orrery explain echo.1.2",
            "What it wrote",
        ),
        ("/services/echo", "orrery explain echo", "Replicas"),
        ("/nodes", "orrery nodes", "local"),
        ("/pending", "orrery plan", "waiting"),
        ("/events", "orrery events -f", "caching"),
    ] {
        let answer = page.get(path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(answer.contains(command), "{path}: {answer}");
        assert!(answer.contains(shown), "{path}: {answer}");
        let answer = page.get(&format!("{path}?format=json"));
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains("application/json"), "{path}: {head}");
        let body: String = body.lines().filter(|l| !l.is_empty()).collect();
        assert!(body.contains('{') || body.contains('['), "{path}: {body}");
    }
    // Nobody serves these in this fleet: said, with what to do, and no page breaks.
    for path in ["/releases", "/tokens"] {
        let answer = page.get(path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(answer.contains("can be called"), "{path}: {answer}");
    }
}

#[test]
fn a_filter_is_in_the_address_and_narrows_what_is_shown() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("4 of 5");
    let answer = page.get("/instances?q=caching");
    assert!(
        answer.contains("caching.1.8") && !answer.contains("echo.1.2"),
        "{answer}"
    );
    assert!(answer.contains("value=\"caching\""), "{answer}");
}

#[test]
fn an_open_page_is_told_of_changes_and_fetches_the_middle_alone() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("4 of 5");
    let mut stream = TcpStream::connect(page.address).expect("it listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a timeout can be set");
    let ask = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(ask).expect("it reads");
    let mut lines = BufReader::new(stream).lines();
    let mut heard = |event: &str| {
        let wanted = format!("event: {event}");
        assert!(
            lines.any(|line| line.expect("an event") == wanted),
            "{event}"
        );
    };
    heard("change");
    fake.state().services[0].healthy = 2;
    page.expect("5 of 5");
    heard("change");
    let middle = page.ask("GET / HTTP/1.1\r\nHost: localhost\r\nX-Fragment: 1\r\n");
    assert!(middle.contains("5 of 5"), "{middle}");
    assert!(!middle.contains("<html"), "{middle}");
}

#[test]
fn an_action_is_done_from_a_form_of_this_session_and_from_nowhere_else() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("4 of 5");
    let csrf = page.csrf();
    let replicas = |fake: &Fake| {
        let state = fake.state();
        let echo = state.services.iter().find(|s| s.name == "echo");
        echo.expect("there is echo").replicas
    };
    let before = replicas(&fake);
    let good = format!("csrf={csrf}&replicas=7");
    for (origin, form, status) in [
        (Some("http://evil.example"), good.as_str(), "403"),
        (Some("http://localhost:9999"), &good, "403"),
        (Some("null"), &good, "403"),
        (None, "replicas=7", "403"),
        (None, "csrf=&replicas=7", "403"),
        (Some("http://localhost"), "csrf=0123&replicas=7", "403"),
        (
            Some("http://localhost"),
            &format!("csrf={csrf}&replicas=many"),
            "422",
        ),
        (
            Some("http://localhost"),
            &format!("csrf={csrf}&replicas=0"),
            "422",
        ),
    ] {
        let answer = page.post("/services/echo/scale", origin, form);
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{origin:?} {form}: {answer}");
        assert_eq!(replicas(&fake), before, "{origin:?} {form}");
    }
    let answer = page.post("/services/echo/scale", Some("http://localhost"), &good);
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(answer.contains("location: /services/echo"), "{answer}");
    assert_eq!(replicas(&fake), 7);
    assert!(page.get("/").contains("7 replicas"), "it is said once");
    assert!(!page.get("/").contains("7 replicas"), "and not again");
}

#[test]
fn what_hurts_is_done_only_by_who_writes_its_name() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("4 of 5");
    let csrf = page.csrf();
    for path in [
        "/instances/echo.1.2/stop",
        "/services/echo/delete",
        "/nodes/local/draining",
    ] {
        for confirm in ["", "&confirm=", "&confirm=other"] {
            let answer = page.post(path, None, &format!("csrf={csrf}{confirm}"));
            assert!(
                answer.starts_with("HTTP/1.1 422"),
                "{path} {confirm}: {answer}"
            );
            assert!(answer.contains("nothing was done"), "{path}: {answer}");
        }
    }
    let answer = page.post(
        "/instances/echo.1.2/stop",
        None,
        &format!("csrf={csrf}&confirm=echo.1.2"),
    );
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let unknown = page.post("/services/echo/explode", None, &format!("csrf={csrf}"));
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
}

#[test]
fn while_scheduling_is_away_the_page_shows_what_it_knew_and_how_old_that_is() {
    let mut fake = Fake::start();
    let page = Page::start(&fake);
    page.expect_at("/instances", "echo.1.2");
    fake.kill_scheduling();
    let answer = page.expect_at("/instances", "scheduling cannot be reached, data is ");
    assert!(
        answer.contains("echo.1.2"),
        "the fleet did not disappear: {answer}"
    );
    assert!(answer.contains("cargo run -p scheduling"), "{answer}");
}

#[test]
fn what_services_call_themselves_is_text_and_never_markup() {
    let fake = Fake::start();
    let attack = "<script>alert(1)</script>\"'&";
    {
        let mut state = fake.state();
        state.services[0].artifact = attack.to_owned();
        state.services[0].waiting = vec![attack.to_owned()];
        state.instances[0].reason = attack.to_owned();
        state.instances[0].id = attack.to_owned();
    }
    let page = Page::start(&fake);
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;";
    for path in ["/", "/instances"] {
        let answer = page.expect_at(path, escaped);
        assert!(!answer.contains("<script>"), "{answer}");
        assert!(!answer.contains("\"'&"), "{answer}");
    }
}

#[test]
fn every_answer_forbids_foreign_and_inline_scripts_and_frames() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    for path in [
        "/",
        "/style.css",
        "/page.js",
        "/login",
        "/nothing",
        "/?page=99999999999",
    ] {
        let answer = page.get(path).to_ascii_lowercase();
        assert!(
            answer.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{path}: {answer}"
        );
        for other in ["unsafe-inline", "onclick=", "style=\""] {
            assert!(!answer.contains(other), "{path}: {answer}");
        }
        assert!(
            answer.contains("x-content-type-options: nosniff"),
            "{path}: {answer}"
        );
    }
    assert!(page.get("/style.css").contains("text/css"));
    assert!(page.get("/page.js").contains("text/javascript"));
    assert!(page.get("/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_page_of_another_name_that_points_here_gets_nothing() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect_at("/instances", "echo.1.2");
    let answer = page.ask("GET /instances HTTP/1.1\r\nHost: evil.example:8080\r\n");
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert!(!answer.contains("echo.1.2"), "{answer}");
    let answer = page.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n");
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[test]
fn probes_are_answered_beside_the_page() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = page.get(path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
}

#[test]
fn the_page_refuses_to_be_served_to_others_than_this_machine() {
    let fake = Fake::start();
    let output = program(&fake)
        .args(["--address", "0.0.0.0:0"])
        .output()
        .expect("the program is built");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{words}");
    assert!(words.contains("refusing to serve on 0.0.0.0"), "{words}");
}

#[test]
fn many_instances_are_shown_page_by_page() {
    let fake = Fake::start();
    let more = (10..460).map(|index| {
        support::fake::instance("echo", index, 1, client::scheduling::InstanceState::Healthy)
    });
    fake.state().instances.extend(more);
    let page = Page::start(&fake);
    let first = page.expect_at("/instances", "?page=2");
    assert!(
        !first.contains("echo.459.1"),
        "only the first 200 are there"
    );
    assert!(page.get("/instances?page=2").contains("echo.459.1"));
}
