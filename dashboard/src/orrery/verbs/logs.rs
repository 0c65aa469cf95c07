//! `orrery logs`: what instances wrote.

use clap::{Args, ValueEnum};
use client::scheduling::{LogLine, LogStream, LogsArgs};

use crate::failure::Failure;
use crate::output::{Format, escape};
use crate::session::Session;

/// Show what an instance, or every instance of a service, wrote to stdout and stderr.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery logs echo.2.7
  orrery logs -f -n 0 echo           every instance, new lines only
  orrery logs echo --stream stderr -o jsonl")]
pub(crate) struct Logs {
    /// A service, a slot, an instance, or any unique beginning of an instance's id.
    target: String,
    /// Go on with new lines as they are written.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines to begin with, for each instance and stream.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    tail: u32,
    /// Only one of the streams.
    #[arg(long, value_enum)]
    stream: Option<Stream>,
}

/// Where lines were written to.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stream {
    Stdout,
    Stderr,
}

impl Logs {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let target = session.target(&self.target).await?;
        let args = LogsArgs {
            target: target.clone(),
            tail: self.tail,
            follow: self.follow,
            stream: self.stream.map(|stream| match stream {
                Stream::Stdout => LogStream::Stdout,
                Stream::Stderr => LogStream::Stderr,
            }),
        };
        let many = !target.contains('.');
        let call = session.fleet.scheduling_streams().with(session.options());
        let mut lines = session.ask_about(&target, call.logs(&args)).await?;
        let mut any = false;
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => {
                    any = true;
                    show(session, &line, many)?;
                }
                Err(error) if self.follow && session.is_end_of_following(&error) => break,
                Err(error) => return Err(session.failure_about(&target, error).await),
            }
        }
        if !any {
            session.out.say(format!("{target} wrote nothing yet"));
        }
        Ok(())
    }
}

fn show(session: &Session, line: &LogLine, many: bool) -> Result<(), Failure> {
    if session.out.format() != Format::Table {
        return session.out.json_line(line);
    }
    let prefix = if many {
        format!("{} | ", escape::line(&line.instance))
    } else {
        String::new()
    };
    session.out.foreign_line(&prefix, &line.text)
}
