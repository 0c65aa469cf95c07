//! What an operator sees at the terminal that scheduling was started from: a table of the fleet,
//! once it is up, and where to look. 80 columns.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use model::{Instance, InstanceState, ServiceName, Timestamp};
use reconciliation::Snapshot;
use scheduling::SYSTEM_ADDRESS;
use tokio::time::{Instant, timeout};

use crate::brain::{Handle, View};

/// After this long the table is shown as it is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Columns of the narrowest terminal that people have.
const WIDTH: usize = 80;

/// What is shown.
pub(crate) struct Screen {
    address: SocketAddr,
    adopted: usize,
    admin_token: Option<String>,
    wished: u32,
    started: Instant,
}

impl Screen {
    /// `admin_token` is one that was just made: it is shown once, and nowhere else.
    pub(crate) fn new(
        address: SocketAddr,
        adopted: usize,
        admin_token: Option<String>,
        snapshot: &Snapshot,
    ) -> Self {
        Self {
            address,
            adopted,
            admin_token,
            wished: snapshot.specs.values().map(|spec| spec.replicas).sum(),
            started: Instant::now(),
        }
    }

    /// Says what is going on, then shows the table, in the background.
    pub(crate) fn follow(self, brain: Handle) {
        if self.adopted > 0 {
            println!("adopted {} running instances", self.adopted);
        } else {
            println!("booting {} instances", self.wished);
        }
        tokio::spawn(async move {
            let settled = timeout(PATIENCE, brain.until(is_settled)).await;
            if let Ok(Err(_)) = settled {
                return;
            }
            let took = self.started.elapsed();
            let shown = brain
                .read(move |view| table(view, self.address, took))
                .await;
            if let Ok(text) = shown {
                print!("{text}");
            }
            if let Some(token) = self.admin_token {
                println!("  admin      the first admin token, shown this once:\n\n{token}\n");
            }
        });
    }
}

/// Whether every wanted slot is healthy, or has failed at least once.
fn is_settled(view: &View<'_>) -> bool {
    let healthy = |i: &&Instance| i.state == InstanceState::Healthy;
    view.snapshot.specs.values().all(|spec| {
        let instances = view.snapshot.instances_of(&spec.name);
        let healthy = instances.filter(healthy).count();
        let waiting = view.waiting.iter();
        let troubled = waiting.filter(|w| w.slot.service == spec.name && is_trouble(&w.reason));
        healthy + troubled.count() >= spec.replicas as usize
    })
}

fn is_trouble(reason: &reconciliation::WaitReason) -> bool {
    use reconciliation::WaitReason as Why;
    match reason {
        Why::Backoff { .. } | Why::GivenUp { .. } | Why::NodeNotReady { .. } => true,
        Why::Dependency { exists, .. } => !exists,
        _ => false,
    }
}

fn table(view: &View<'_>, address: SocketAddr, took: Duration) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{:<26} {:<10} {:>5} {:>8}  SINCE",
        "INSTANCE", "STATE", "PORT", "PID"
    );
    let instances = view.snapshot.instances.values();
    let running: Vec<&Instance> = instances.filter(|i| !i.state.is_terminal()).collect();
    for instance in &running {
        let _ = writeln!(text, "{}", row(instance, view.now));
    }
    for waiting in view.waiting {
        let line = format!("{} {}", waiting.slot, waiting.reason);
        let line = line.lines().next().unwrap_or_default().to_owned();
        let _ = writeln!(text, "{}", wrapped(&line, WIDTH));
    }
    let healthy = running.iter().filter(|i| i.state == InstanceState::Healthy);
    let healthy = healthy.count();
    let wished: u32 = view.snapshot.specs.values().map(|spec| spec.replicas).sum();
    let ms = took.as_millis();
    let _ = writeln!(text, "\n{healthy} of {wished} healthy after {ms} ms");
    let _ = writeln!(text, "  rpc        {address}");
    if let Some(port) = first_port(view.snapshot, "dashboard") {
        let dashboard = SocketAddr::new(address.ip(), port);
        let _ = writeln!(text, "  dashboard  http://{dashboard}");
    }
    let is_elsewhere = address.to_string() != SYSTEM_ADDRESS;
    let at = is_elsewhere.then(|| format!(" --scheduling {address}"));
    let at = at.unwrap_or_default();
    let command = format!("  look       {} status", command_line());
    let is_wide = command.chars().count() + at.chars().count() > WIDTH;
    let gap = if is_wide { " \\\n              " } else { "" };
    let _ = writeln!(text, "{command}{gap}{at}");
    text.push_str("  stop       Ctrl-C (ends the fleet; kill -9 of this process does not)\n");
    text
}

/// Broken between words into lines of at most `width`: why something waits is not cut short.
fn wrapped(line: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        let last = lines.last().map_or(0, |last| last.chars().count());
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push("   ".to_owned());
        }
        if let Some(last) = lines.last_mut() {
            let gap = if last.is_empty() { "" } else { " " };
            last.push_str(gap);
            last.push_str(word);
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| cut(line, width)).collect();
    lines.join("\n")
}

/// How to call `orrery` from here: its path if it lies beside this program, as short as it can be.
fn command_line() -> String {
    let beside = std::env::current_exe()
        .ok()
        .map(|exe| exe.with_file_name("orrery"));
    let Some(beside) = beside.filter(|path| path.exists()) else {
        return "orrery".to_owned();
    };
    let here = std::env::current_dir().unwrap_or_default();
    let path = beside.strip_prefix(here).unwrap_or(&beside);
    path.display().to_string()
}

fn row(instance: &Instance, now: Timestamp) -> String {
    let port = instance
        .port
        .map_or_else(|| "-".to_owned(), |p| p.to_string());
    let process = instance.process.as_ref();
    let pid = process.map_or_else(|| "-".to_owned(), |p| p.pid.to_string());
    let age_ms = now.since_ms(instance.since);
    let id = cut(&instance.id.to_string(), 26);
    let state = instance.state;
    format!("{id:<26} {state:<10} {port:>5} {pid:>8}  {}", ago(age_ms))
}

fn ago(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}s", ms / 1_000),
        60_000..3_600_000 => format!("{}m", ms / 60_000),
        _ => format!("{}h", ms / 3_600_000),
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['~']).collect()
}

fn first_port(snapshot: &Snapshot, service: &str) -> Option<u16> {
    let name = ServiceName::new(service).ok()?;
    let mut instances = snapshot.instances_of(&name);
    instances.find_map(|i| (!i.state.is_terminal()).then_some(i.port)?)
}
