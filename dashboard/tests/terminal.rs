//! What a person at a terminal sees. `script` (Debian: bsdutils, always there) is the terminal.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "each test uses a part of what the tests of the faces share"
)]
mod support;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use support::{Fake, command};

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// A command on a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn open(fake: &Fake, line: &str) -> Self {
        let folder = std::env::temp_dir();
        let line = format!("stty cols 80 rows 12; {line}; echo exit=$?");
        let mut command = command(fake, &folder, &format!("script -qec '{line}' /dev/null"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let keys = child.stdin.take().expect("it is a pipe");
        let mut stdout = child.stdout.take().expect("it is a pipe");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stdout.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keys,
            output,
            seen: String::new(),
        }
    }

    /// Waits until this was written.
    fn expect(&mut self, text: &str) -> &str {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("never saw {text:?}; saw {:?}", self.seen),
            }
        }
        &self.seen
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it still runs");
        self.keys.flush().expect("it still runs");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whoever is gone already needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_person_is_asked_before_something_is_stopped_and_no_is_the_default() {
    let fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "orrery stop echo.1");
    terminal.expect("echo.1.2 is healthy");
    terminal.expect("Go on? [y/N]");
    terminal.press("\r");
    let seen = terminal.expect("exit=1");
    assert!(seen.contains("nothing was done"), "{seen}");
    let unchanged = fake
        .state()
        .instances
        .iter()
        .all(|i| i.state.as_str() != "stopping");
    assert!(unchanged);
}

#[test]
fn scaling_to_nothing_shows_the_plan_and_yes_does_it() {
    let fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "orrery scale echo 0");
    terminal.expect("2 actions at revision 17");
    terminal.expect("Go on? [y/N]");
    terminal.press("y\r");
    terminal.expect("echo: 3 -> 0 replicas");
    terminal.expect("exit=0");
}

#[test]
fn yes_in_advance_asks_nobody() {
    let fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "orrery delete echo --yes");
    let seen = terminal.expect("exit=0");
    assert!(!seen.contains("Go on?"), "{seen}");
}

#[test]
fn log_lines_cannot_steer_the_terminal() {
    let fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "orrery logs echo.0");
    let seen = terminal.expect("exit=0");
    assert!(seen.contains("\\x1b]0;owned\\x07careful"), "{seen:?}");
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
}

#[test]
fn there_is_colour_on_a_terminal_and_none_with_no_color() {
    let fake = Fake::start();
    let mut colourful = Terminal::open(&fake, "orrery ps echo");
    assert!(colourful.expect("exit=0").contains("\u{1b}["));
    let mut plain = Terminal::open(&fake, "NO_COLOR=1 orrery ps echo");
    let seen = plain.expect("exit=0");
    assert!(
        seen.contains("healthy") && !seen.contains('\u{1b}'),
        "{seen:?}"
    );
}

#[test]
fn a_table_is_no_wider_than_the_terminal() {
    let fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "NO_COLOR=1 orrery ps; orrery status");
    let seen = terminal.expect("exit=0");
    let widest = seen
        .lines()
        .filter(|l| !l.contains('\u{1b}'))
        .map(str::len)
        .max();
    assert!(widest <= Some(80), "{seen}");
}

#[test]
fn top_is_live_and_gives_the_terminal_back() {
    let mut fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "orrery top --every 50ms");
    terminal.expect("\u{1b}[?1049h");
    terminal.expect("4 of 5 instances healthy");
    fake.state().services[0].healthy = 2;
    terminal.expect("5 of 5 instances healthy");
    fake.kill_scheduling();
    terminal.expect("what follows is as it was");
    terminal.press("q");
    let seen = terminal.expect("exit=0");
    let (_, after) = seen
        .rsplit_once("\u{1b}[?1049l")
        .expect("the screen is given back");
    assert!(after.contains("exit=0"), "{seen:?}");
    assert!(seen.contains("\u{1b}[?25h"), "the cursor is back");
}

#[test]
fn ctrl_c_ends_top_too() {
    let fake = Fake::start();
    let mut terminal = Terminal::open(&fake, "orrery top echo");
    terminal.expect("3 of 3 instances healthy");
    terminal.press("\u{3}");
    terminal.expect("exit=0");
}
