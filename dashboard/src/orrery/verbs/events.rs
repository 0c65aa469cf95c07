//! `orrery events`: what happened.

use clap::Args;
use client::scheduling::{EventItem, EventsArgs};
use dashboard::ago;
use jiff::{Timestamp, tz::TimeZone};

use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone, escape};
use crate::session::Session;

/// Show what happened, to what, when and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery events
  orrery events -f echo
  orrery events -n 1000 -o jsonl | jq -r 'select(.kind == \"failed\") | .why'")]
pub(crate) struct Events {
    /// Only those of this service, or of this instance (any unique beginning of its id).
    target: Option<String>,
    /// Go on with new ones as they happen.
    #[arg(short, long)]
    follow: bool,
    /// How many of the past to begin with.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    tail: u32,
}

impl Events {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut args = EventsArgs {
            tail: self.tail,
            follow: self.follow,
            ..EventsArgs::default()
        };
        let service = match self.target {
            Some(meant) if meant.contains('.') => {
                args.instance = Some(session.instance(&meant).await?.id);
                String::new()
            }
            service => {
                args.service.clone_from(&service);
                service.unwrap_or_default()
            }
        };
        let call = session.fleet.scheduling_streams().with(session.options());
        let mut stream = session.ask_about(&service, call.events(&args)).await?;
        let mut past = Vec::new();
        while let Some(item) = stream.next().await {
            let event = match item {
                Ok(event) => event,
                Err(error) if self.follow && session.is_end_of_following(&error) => break,
                Err(error) => return Err(session.failure_about(&service, error).await),
            };
            match session.out.format() {
                Format::Json | Format::Jsonl => session.out.json_line(&event)?,
                Format::Table if self.follow => session.out.text(&line(&event))?,
                Format::Table => past.push(event),
            }
        }
        if session.out.format() == Format::Table && !self.follow {
            if past.is_empty() {
                session.out.say("nothing happened yet");
            }
            let now = session.now_ms();
            return session.out.text(&session.out.fit(&table(&past, now)));
        }
        Ok(())
    }
}

/// What a kind of event says about the fleet.
fn tone(kind: &str) -> Tone {
    match kind {
        "healthy" => Tone::Good,
        "failed" | "unhealthy" | "lost" | "given up" => Tone::Bad,
        "stopping" | "restart asked for" => Tone::Watch,
        _ => Tone::Plain,
    }
}

fn table(events: &[EventItem], now: u64) -> Table {
    let mut table = Table::new(&["WHEN", "WHAT", "EVENT", "WHY"]);
    for event in events {
        table.row([
            Cell::new(ago(event.at_ms, now)),
            Cell::new(&event.subject),
            Cell::new(&event.kind).tone(tone(&event.kind)),
            Cell::new(&event.why),
        ]);
    }
    table
}

/// One event on one line, with the time of day: "3m ago" would not stay true.
fn line(event: &EventItem) -> String {
    let moment = i64::try_from(event.at_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_zoned(TimeZone::system()));
    let time = moment.map_or("-".to_owned(), |at| at.strftime("%H:%M:%S").to_string());
    let style = tone(&event.kind).style();
    let (subject, kind, why) = (
        escape::line(&event.subject),
        escape::line(&event.kind),
        escape::line(&event.why),
    );
    format!("{time}  {subject:<16}  {style}{kind:<9}{style:#}  {why}")
}
