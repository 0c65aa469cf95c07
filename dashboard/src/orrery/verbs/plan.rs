//! `orrery plan`: what would happen.

use clap::Args;
use std::collections::{BTreeMap, BTreeSet};

use client::resource_scheduler::{PREVIEW_MAX, PreviewArgs};
use client::scheduling::{PlanArgs, PlanReply, ProposedChange};
use dashboard::ago;
use model::ServiceSpec;
use serde::Serialize;

use super::count;
use crate::failure::Failure;
use crate::output::{Cell, Table, Tone};
use crate::session::Session;
use crate::spec_file::SpecFile;

/// Show what a change would cause, without making it.
///
/// Without a change: what scheduling itself is about to do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery plan echo.toml
  orrery plan --scale echo=5
  orrery plan --delete hello -o json
  orrery plan")]
#[group(multiple = false)]
pub(crate) struct Plan {
    /// As `apply` with this file; - is stdin.
    file: Option<String>,
    /// As `scale`.
    #[arg(long, value_name = "SERVICE=N", value_parser = scale, allow_hyphen_values = true)]
    scale: Option<(String, i32)>,
    /// As `restart`.
    #[arg(long, value_name = "TARGET")]
    restart: Option<String>,
    /// As `delete`.
    #[arg(long, value_name = "SERVICE")]
    delete: Option<String>,
}

fn scale(text: &str) -> Result<(String, i32), String> {
    let expected = "write it as echo=5";
    let (name, replicas) = text.split_once('=').ok_or(expected)?;
    let replicas = replicas
        .parse()
        .map_err(|_| format!("{replicas:?} is no number: {expected}"))?;
    Ok((name.to_owned(), replicas))
}

impl Plan {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let file = self.file.as_deref().map(SpecFile::read).transpose()?;
        let (change, service, next) = match (&file, self.scale, self.restart, self.delete) {
            (Some(file), ..) => {
                let spec = file.checked()?.to_owned();
                let next = format!("orrery apply {}", file.path());
                (Some(ProposedChange::Apply { spec }), String::new(), next)
            }
            (_, Some((name, replicas)), ..) => {
                let next = format!("orrery scale {name} {replicas}");
                let service = name.clone();
                (
                    Some(ProposedChange::Scale { name, replicas }),
                    service,
                    next,
                )
            }
            (_, _, Some(meant), _) => {
                let target = session.target(&meant).await?;
                let next = format!("orrery restart {target}");
                let service = target.clone();
                (Some(ProposedChange::Restart { target }), service, next)
            }
            (.., Some(name)) => {
                let (next, service) = (format!("orrery delete {name}"), name.clone());
                (Some(ProposedChange::Delete { name }), service, next)
            }
            _ => (None, String::new(), String::new()),
        };
        let args = PlanArgs { change };
        let call = session.scheduling();
        let asked = session.ask_about(&service, call.plan(&args)).await;
        let reply = asked.map_err(|failure| match &file {
            Some(file) => file.locate(failure),
            None => failure,
        })?;
        let specs = file.as_ref().map(SpecFile::specs).transpose()?;
        let planned = Planned {
            nowhere: nowhere(session, &reply, &specs.unwrap_or_default()).await,
            plan: reply,
        };
        session.out.one(&planned, || {
            let mut text = words(session, &planned.plan);
            text.push_str(&without_place(session, &planned.nowhere));
            text
        })?;
        let reply = &planned.plan;
        if !next.is_empty() && !reply.actions.is_empty() {
            session.out.suggest("do it", next);
        }
        Ok(())
    }
}

/// What would be done, and what of it would find no place.
#[derive(Serialize)]
struct Planned {
    #[serde(flatten)]
    plan: PlanReply,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nowhere: Vec<Nowhere>,
}

/// New instances of a service that would find no place.
#[derive(Serialize)]
struct Nowhere {
    service: String,
    count: u32,
    of: u32,
    /// Why, and the least that would help.
    why: String,
}

/// Asks the resource scheduler about what is new and has no place in the plan. Where nobody
/// answers, nothing is known; what is replaced has room, because what it replaces makes it.
async fn nowhere(session: &Session, plan: &PlanReply, specs: &[ServiceSpec]) -> Vec<Nowhere> {
    let slot = |subject: &str| subject.rsplit_once('.').map(|(slot, _)| slot.to_owned());
    let of_verb = |verb: &'static str| plan.actions.iter().filter(move |a| a.verb == verb);
    let stops: BTreeSet<_> = of_verb("stop")
        .map(|action| slot(&action.subject))
        .collect();
    let mut new: BTreeMap<String, u32> = BTreeMap::new();
    for action in of_verb("create").filter(|action| action.place.is_empty()) {
        let slot = slot(&action.subject);
        let service = slot.as_deref().and_then(|slot| slot.split('.').next());
        if let Some(service) = service.filter(|_| !stops.contains(&slot)) {
            *new.entry(service.to_owned()).or_default() += 1;
        }
    }
    let mut found = Vec::new();
    if new.is_empty() {
        return found;
    }
    let Ok(scheduler) = session.fleet.resource_scheduler().await else {
        return found;
    };
    for (service, of) in new {
        let spec = specs.iter().find(|spec| spec.name.as_str() == service);
        let args = PreviewArgs {
            wishes: spec.and_then(|spec| serde_json::to_string(&spec.wishes()).ok()),
            service,
            count: of.min(PREVIEW_MAX),
        };
        if let Ok(preview) = scheduler.preview(&args).await
            && preview.nowhere > 0
        {
            found.push(Nowhere {
                service: args.service,
                count: preview.nowhere,
                of,
                why: preview.why,
            });
        }
    }
    found
}

fn without_place(session: &Session, nowhere: &[Nowhere]) -> String {
    if nowhere.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["NO PLACE FOR", "WHY"]);
    for service in nowhere {
        let which = format!(
            "{} of {} new {}",
            service.count, service.of, service.service
        );
        table.row([Cell::new(which).tone(Tone::Bad), Cell::new(&service.why)]);
    }
    format!("\n{}", session.out.fit(&table))
}

/// What a change would cause, as text to show before asking whether to make it.
pub(super) async fn consequences(
    session: &Session,
    change: Option<ProposedChange>,
) -> Result<String, Failure> {
    let service = match &change {
        Some(ProposedChange::Scale { name, .. } | ProposedChange::Delete { name }) => name.clone(),
        _ => String::new(),
    };
    let args = PlanArgs { change };
    let call = session.scheduling();
    let reply = session.ask_about(&service, call.plan(&args)).await?;
    Ok(words(session, &reply))
}

fn words(session: &Session, reply: &PlanReply) -> String {
    let mut text = if reply.actions.is_empty() {
        "nothing would be done\n".to_owned()
    } else {
        let mut table = Table::new(&["DO", "WHAT", "WHERE", "WHY"]);
        for action in &reply.actions {
            let tone = match action.verb.as_str() {
                "create" => Tone::Good,
                "stop" => Tone::Watch,
                _ => Tone::Bad,
            };
            table.row([
                Cell::new(&action.verb).tone(tone),
                Cell::new(&action.subject),
                Cell::new(&action.place),
                Cell::new(&action.why),
            ]);
        }
        format!("{}{}\n", session.out.fit(&table), summary(reply))
    };
    if !reply.waiting.is_empty() {
        let mut table = Table::new(&["WAITING", "UNTIL", "FOR"]);
        let now = session.now_ms();
        for slot in &reply.waiting {
            let until = slot.until_ms.map(|at| ago(at, now)).unwrap_or_default();
            table.row([
                Cell::new(&slot.slot),
                Cell::new(until),
                Cell::new(&slot.reason),
            ]);
        }
        text.push('\n');
        text.push_str(&session.out.fit(&table));
    }
    text
}

/// `3 actions at revision 17: create 2, stop 1`.
fn summary(reply: &PlanReply) -> String {
    let mut verbs: Vec<(&str, usize)> = Vec::new();
    for action in &reply.actions {
        match verbs.iter_mut().find(|(verb, _)| *verb == action.verb) {
            Some((_, times)) => *times += 1,
            None => verbs.push((&action.verb, 1)),
        }
    }
    let each: Vec<String> = verbs
        .iter()
        .map(|(verb, times)| format!("{verb} {times}"))
        .collect();
    let actions = count(reply.actions.len(), "action");
    format!(
        "{actions} at revision {}: {}",
        reply.revision,
        each.join(", ")
    )
}
