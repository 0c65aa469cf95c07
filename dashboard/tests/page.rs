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
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        let request = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Waits until the page shows this.
    fn expect(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/");
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
    for text in [
        "echo.1.2",
        "caching.1.8",
        "exit code 101",
        "3m ago",
        "http-equiv=\"refresh\"",
    ] {
        assert!(answer.contains(text), "{text} is not in {answer}");
    }
    assert!(
        !answer.contains("echo.1.1"),
        "what was replaced is not shown"
    );
    fake.state().services[0].healthy = 2;
    page.expect("5 of 5 instances of 2 services are healthy");
}

#[test]
fn while_scheduling_is_away_the_page_shows_what_it_knew_and_how_old_that_is() {
    let mut fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("echo.1.2");
    fake.kill_scheduling();
    let answer = page.expect("scheduling cannot be reached, data is ");
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
    let answer = page.expect("&lt;script&gt;alert(1)&lt;/script&gt;&quot;");
    assert!(!answer.contains("<script"), "{answer}");
}

#[test]
fn every_answer_forbids_scripts_frames_and_foreign_origins() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    for path in ["/", "/style.css", "/nothing", "/?page=99999999999"] {
        let answer = page.get(path).to_ascii_lowercase();
        assert!(answer.contains("content-security-policy: default-src 'self'; script-src 'none'"));
        assert!(
            answer.contains("x-content-type-options: nosniff"),
            "{path}: {answer}"
        );
    }
    assert!(page.get("/style.css").contains("text/css"));
    assert!(page.get("/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_page_of_another_name_that_points_here_gets_nothing() {
    let fake = Fake::start();
    let page = Page::start(&fake);
    page.expect("echo.1.2");
    let answer = page.ask("GET / HTTP/1.1\r\nHost: evil.example:8080\r\n");
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
    let first = page.expect("/?page=2");
    assert!(
        !first.contains("echo.459.1"),
        "only the first 200 are there"
    );
    assert!(page.get("/?page=2").contains("echo.459.1"));
}
