//! `orrery release list`, `show` and `watch`: how releases are.

use clap::Args;
use client::release::{ListArgs, Program, ReleaseArgs, ReleaseInfo, Version, WatchArgs};
use dashboard::ago;

use super::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone, escape};
use crate::session::Session;

/// List releases, newest first, those that are over included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery release list
  orrery release list echo -n 1 -o jsonl | jq -r .phase")]
pub(super) struct List {
    /// Only this service's.
    service: Option<String>,
    /// At most so many, up to 100.
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: u32,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let args = ListArgs {
            service: self.service,
            limit: self.limit,
        };
        let releases = client(session).await?.list(&args).await?.releases;
        let now = session.now_ms();
        session.out.list(&releases, || table(&releases, now))
    }
}

fn table(releases: &[ReleaseInfo], now: u64) -> Table {
    let mut table = Table::new(&["RELEASE", "SERVICE", "PHASE", "STEP", "TO", "BEGUN", "WHY"]);
    for release in releases {
        table.row([
            Cell::new(&release.id),
            Cell::new(&release.service),
            Cell::new(phase(release)).tone(tone(release)),
            Cell::number(format!("{}/{}", release.step, release.steps)),
            Cell::new(version(&release.to)),
            Cell::new(ago(release.created_ms, now)),
            Cell::new(why(release)),
        ]);
    }
    table
}

/// Show a release and what happened to it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery release show r-12
  orrery release show r-12 -o json | jq .log")]
pub(super) struct Show {
    /// As in r-12.
    id: String,
}

impl Show {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let args = ReleaseArgs { id: self.id };
        let release = client(session).await?.get(&args).await?;
        let now = session.now_ms();
        session.out.one(&release, || whole(&release, now))
    }
}

fn whole(release: &ReleaseInfo, now: u64) -> String {
    let mut text = format!(
        "{}\n  from   {}\n  to     {}\n  begun  {} by {}\n",
        line(release),
        escape::line(&version(&release.from)),
        escape::line(&version(&release.to)),
        ago(release.created_ms, now),
        escape::line(&release.by),
    );
    for entry in &release.log {
        let at = ago(entry.at_ms, now);
        text.push_str(&format!("  {at:>9}  {}\n", escape::line(&entry.what)));
    }
    text
}

/// Show a release as it is and then every change, until it is over.
///
/// Exit code 1 if the service did not get the new version.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery release watch r-12
  orrery release watch r-12 --timeout 10m && echo done")]
pub(super) struct Watch {
    /// As in r-12.
    id: String,
}

impl Watch {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        follow(session, self.id).await
    }
}

/// Follows a release until it is over.
pub(super) async fn follow(session: &Session, id: String) -> Result<(), Failure> {
    let releases = session.ask(session.fleet.release_streams()).await?;
    let releases = releases.with(session.options());
    let mut stream = releases.watch(&WatchArgs { id: id.clone() }).await?;
    let (mut shown, mut phase) = (String::new(), String::new());
    while let Some(item) = stream.next().await {
        let release = match item {
            Ok(release) => release,
            Err(error) if session.is_end_of_following(&error) => {
                let what = format!("{id} is not over in the time that was given");
                return Err(
                    Failure::new(Exit::Timeout, what).hint(format!("orrery release show {id}"))
                );
            }
            Err(error) => return Err(error.into()),
        };
        phase.clone_from(&release.phase);
        match session.out.format() {
            Format::Json | Format::Jsonl => session.out.json_line(&release)?,
            Format::Table => {
                // Changes that a line does not show make no line.
                let line = line(&release);
                if line != shown {
                    session.out.text(&line)?;
                    shown = line;
                }
            }
        }
    }
    if phase == "done" {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("{id} is {phase}"))
        .hint(format!("`orrery release show {id}` has its log")))
}

/// A release in one line, safe for a terminal.
pub(super) fn line(release: &ReleaseInfo) -> String {
    let (phase, style) = (phase(release), tone(release).style());
    let (step, steps) = (release.step, release.steps);
    let why = why(release);
    let (why, comma) = (escape::line(&why), if why.is_empty() { "" } else { ", " });
    let (id, service) = (&release.id, escape::line(&release.service));
    format!("{id}: {service} is {style}{phase}{style:#}, step {step} of {steps}{comma}{why}")
}

fn phase(release: &ReleaseInfo) -> String {
    let paused = if release.paused && !is_over(release) {
        " (paused)"
    } else {
        ""
    };
    format!("{}{paused}", release.phase)
}

fn why(release: &ReleaseInfo) -> String {
    let why = if release.why.is_empty() && !is_over(release) {
        &release.waiting
    } else {
        &release.why
    };
    why.lines().next().unwrap_or_default().to_owned()
}

fn is_over(release: &ReleaseInfo) -> bool {
    !matches!(release.phase.as_str(), "running" | "rolling-back")
}

fn tone(release: &ReleaseInfo) -> Tone {
    match release.phase.as_str() {
        "done" => Tone::Good,
        "running" => Tone::Watch,
        "superseded" => Tone::Dim,
        _ => Tone::Bad,
    }
}

/// What a version runs, in short.
pub(super) fn version(version: &Version) -> String {
    let program = match &version.program {
        Program::Cargo { bin_name, .. } => bin_name.clone(),
        Program::Command { program, args } => {
            let mut words = vec![program.as_str()];
            words.extend(args.iter().map(String::as_str));
            words.join(" ")
        }
    };
    let env = version
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value} "));
    env.collect::<String>() + &program
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use client::release::{Program, ReleaseInfo, Version};

    use super::{line, table};

    fn release(id: &str, phase: &str, why: &str, waiting: &str) -> ReleaseInfo {
        let version = |bin: &str| Version {
            program: Program::Cargo {
                manifest_path: "echo/Cargo.toml".to_owned(),
                bin_name: bin.to_owned(),
            },
            env: BTreeMap::new(),
        };
        ReleaseInfo {
            id: id.to_owned(),
            service: "echo".to_owned(),
            phase: phase.to_owned(),
            why: why.to_owned(),
            paused: false,
            step: 2,
            steps: 3,
            waiting: waiting.to_owned(),
            from: version("server_v1"),
            to: version("server_v2"),
            by: "me".to_owned(),
            created_ms: 0,
            changes: 1,
            log: Vec::new(),
        }
    }

    #[test]
    fn the_table_says_where_each_release_is_and_why() {
        let mut paused = release("r-3", "running", "", "echo.4 to be healthy");
        paused.paused = true;
        let releases = [
            paused,
            release("r-2", "rolled-back", "8 errors of 50 calls\nmore", ""),
            release("r-1", "done", "", "nothing"),
        ];
        let shown = table(&releases, 3_600_000).render(None);
        let expected = "\
RELEASE  SERVICE  PHASE             STEP  TO         BEGUN   WHY
r-3      echo     running (paused)   2/3  server_v2  1h ago  echo.4 to be healthy
r-2      echo     rolled-back        2/3  server_v2  1h ago  8 errors of 50 calls
r-1      echo     done               2/3  server_v2  1h ago  -
";
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), expected);
    }

    #[test]
    fn what_a_service_wrote_into_a_reason_acts_on_no_terminal() {
        let said = line(&release("r-1", "rolled-back", "bad \x1b[2J", ""));
        assert!(!said.contains("\x1b[2J"), "{said:?}");
        assert!(said.contains("\\x1b[2J"), "{said:?}");
    }
}
