//! `orrery top`: the fleet, live.

mod screen;
mod usage;

use std::time::Duration;

use clap::Args;
use client::scheduling::{InstanceInfo, ServiceInfo, UsageArgs};
use dashboard::ago;
use rpc::Empty;

use self::screen::{Key, Screen};
use self::usage::{Load, Loads};
use super::{count, healthy_cell, state_cell};
use crate::failure::Failure;
use crate::output::{Cell, Format, Table};
use crate::session::Session;

/// How often the table is drawn when the operator does not say.
const INTERVAL: Duration = Duration::from_secs(1);

/// Show services and instances with what they use, live; q or Ctrl-C ends it.
///
/// Where stdout is no terminal, it is shown once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery top
  orrery top echo --every 500ms
  orrery top -o json                 once, as data")]
pub(crate) struct Top {
    /// Only this service.
    service: Option<String>,
    /// How often to look.
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    every: Option<Duration>,
}

/// One look at the fleet.
#[derive(Debug, serde::Serialize)]
struct Look {
    services: Vec<ServiceInfo>,
    instances: Vec<Row>,
}

/// An instance with what it uses.
#[derive(Debug, serde::Serialize)]
struct Row {
    #[serde(flatten)]
    instance: InstanceInfo,
    /// Thousandths of a core, since the last look.
    cpu_millicores: Option<u64>,
    /// Resident memory, in bytes.
    rss_bytes: Option<u64>,
}

impl Top {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut loads = Loads::default();
        let mut look = self.look(session, &mut loads).await?;
        if session.out.format() != Format::Table || !session.out.is_terminal() {
            // Two looks make a rate.
            tokio::time::sleep(Duration::from_millis(200)).await;
            look = self.look(session, &mut loads).await?;
            return session.out.one(&look, || self.words(session, &look));
        }
        let mut screen = Screen::open()?;
        let every = self.every.unwrap_or(INTERVAL);
        let mut seen_ms = session.now_ms();
        let mut trouble = None;
        loop {
            let age = ago(seen_ms, session.now_ms());
            let head = match &trouble {
                None => String::new(),
                Some(why) => format!("what follows is as it was {age}: {why}\n"),
            };
            screen.draw(&format!("{head}{}", self.words(session, &look)))?;
            match screen.key_within(every).await {
                Some(Key::Quit) => return Ok(()),
                Some(Key::Resized) => continue,
                None => {}
            }
            match self.look(session, &mut loads).await {
                Ok(fresh) => {
                    look = fresh;
                    seen_ms = session.now_ms();
                    trouble = None;
                }
                // What was seen last stays, with its age: a lost scheduling is no empty fleet.
                Err(failure) => trouble = Some(failure.what),
            }
        }
    }

    async fn look(&self, session: &Session, loads: &mut Loads) -> Result<Look, Failure> {
        let call = session.scheduling();
        let mut services = session.ask(call.list_services(&Empty {})).await?.services;
        let service = self.service.as_deref();
        let instances = session.instances(service, false).await?.instances;
        if let Some(only) = service {
            services.retain(|s| s.name == only);
        }
        let args = UsageArgs {
            service: self.service.clone(),
        };
        // Without usage there is still something to see.
        if let Ok(usage) = call.usage(&args).await {
            loads.take(usage);
        }
        let row = |instance: InstanceInfo| {
            let Load {
                cpu_millicores,
                rss_bytes,
            } = loads.of(&instance.id);
            Row {
                instance,
                cpu_millicores,
                rss_bytes,
            }
        };
        Ok(Look {
            services,
            instances: instances.into_iter().map(row).collect(),
        })
    }

    fn words(&self, session: &Session, look: &Look) -> String {
        let healthy: u64 = look.services.iter().map(|s| u64::from(s.healthy)).sum();
        let wished: u64 = look.services.iter().map(|s| u64::from(s.replicas)).sum();
        let head = format!(
            "{}, {healthy} of {wished} instances healthy\n\n",
            count(look.services.len(), "service")
        );
        let mut services = Table::new(&["SERVICE", "HEALTHY", "WAITS FOR"]);
        for service in look.services.iter().filter(|s| s.healthy != s.replicas) {
            services.row([
                Cell::new(&service.name),
                healthy_cell(service),
                Cell::new(service.waiting.first().map_or("", String::as_str)),
            ]);
        }
        let mut unwell = String::new();
        if look.services.iter().any(|s| s.healthy != s.replicas) {
            unwell = session.out.fit(&services) + "\n";
        }
        let now = session.now_ms();
        let mut table = Table::new(&["INSTANCE", "STATE", "SINCE", "CPU", "MEMORY", "PID", "PORT"]);
        for row in &look.instances {
            let instance = &row.instance;
            let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
            table.row([
                Cell::new(&instance.id),
                state_cell(instance.state),
                Cell::new(ago(instance.since_ms, now)),
                Cell::number(row.cpu_millicores.map_or("-".to_owned(), usage::percent)),
                Cell::number(row.rss_bytes.map_or("-".to_owned(), usage::bytes)),
                Cell::number(number(instance.pid.map(u64::from))),
                Cell::number(number(instance.port.map(u64::from))),
            ]);
        }
        format!("{head}{unwell}{}", session.out.fit(&table))
    }
}
