//! `orrery passes plan` for a day of requests over stations.

use std::cmp::Reverse;

use client::passes::limits::BATCH_MAX;
use client::passes::planning::contacts::improve_watched;
use client::passes::planning::contacts::{Plan as Contacts, Rule, bound, check, greedy};
use client::passes::planning::{Booked, Day, Equipment, Span, Template, jobs, wanted};
use client::passes::{PassesClient, Program, SubmitArgs, Submitted};
use serde::Serialize;

use super::super::count;
use super::chart::{Bar, Chart, Lane};
use super::client;
use super::inputs::{iso, look_up, millis, read, written, wrong};
use super::plan::Plan;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone};
use crate::session::Session;

const STEPS: u64 = 3_000_000;
const BOUND_ROUNDS: u32 = 3_000;
/// A pass that reaches over the edge of what was asked for has to be seen whole.
const MARGIN_MS: i64 = 3_600_000;

#[derive(Serialize)]
struct Answer {
    requests: usize,
    possible: usize,
    earliest_end: u64,
    fewest_alternatives: u64,
    ours: u64,
    bound: u64,
    contacts: Vec<Row>,
    impossible: Vec<Open>,
    unserved: Vec<Open>,
}

#[derive(Serialize)]
struct Row {
    request: String,
    satellite: String,
    station: String,
    antenna: usize,
    rise: String,
    set: String,
    elevation_max_deg: f64,
}

#[derive(Serialize)]
struct Open {
    request: String,
    satellite: String,
    window: String,
    why: String,
}

/// What was planned, and how good it is.
struct Outcome {
    day: Day,
    plan: Contacts,
    earliest_end: u64,
    fewest_alternatives: u64,
    ours: u64,
    bound: u64,
}

pub(super) async fn run(args: &Plan, session: &Session) -> Result<(), Failure> {
    // Who wants to submit is told at once that there is no service.
    let service = match args.submit {
        true => Some(client(session).await?),
        false => None,
    };
    let outcome = plan(args, read_day(args, session)?, session)?;
    let chart = outcome.chart();
    args.draw(&chart, session)?;
    match session.out.format() {
        Format::Json => session.out.json(&outcome.answer())?,
        Format::Table if !session.out.is_csv() => {
            session.out.text(&outcome.words(&chart, session))?;
        }
        _ => {
            let rows = outcome.rows();
            session.out.list(&rows, || contacts(&rows))?;
        }
    }
    match service {
        Some(service) => submit(args, &outcome, &service, session).await,
        None => Ok(()),
    }
}

fn read_day(args: &Plan, session: &Session) -> Result<Day, Failure> {
    let requests = args.given(&args.requests)?;
    let from_ms = *args.given(&args.from)?;
    let equipment = Equipment {
        antennas: args.antennas,
        setup_ms: args.setup.map_or(0, millis),
        teardown_ms: millis(args.teardown),
        ..Equipment::default()
    };
    let file = args.given(&args.stations)?;
    let stations = args.usual.stations(file, equipment)?;
    let least_ms = millis(args.contact_min);
    let asked = wanted(&read(requests)?, from_ms, least_ms).map_err(|e| wrong(requests, &e))?;
    let first_ms = asked.iter().map(|one| one.from_ms).min();
    let last_ms = asked.iter().map(|one| one.until_ms).max();
    let span = Span {
        from_ms: first_ms.unwrap_or(from_ms).saturating_sub(MARGIN_MS),
        until_ms: last_ms.unwrap_or(from_ms).saturating_add(MARGIN_MS),
    };
    let sky = look_up(session, args.given(&args.tle)?, &stations, span)?;
    Day::new(stations, asked, sky).map_err(|e| wrong(file, &e))
}

fn plan(args: &Plan, day: Day, session: &Session) -> Result<Outcome, Failure> {
    let problem = day.problem();
    let steps = args.steps.unwrap_or(STEPS);
    let plan = {
        let mut progress = session.out.progress("planning");
        let watch = &mut |done| progress.at(done, steps);
        improve_watched(problem, args.seed, steps, watch)
    };
    let worth = |plan: &Contacts| {
        check(problem, plan).map_err(|fault| {
            Failure::new(Exit::Failed, format!("the checker refuses a plan: {fault}"))
                .hint("this is a fault of the planner: please report its input, seed and steps")
        })?;
        Ok::<u64, Failure>(plan.worth(problem))
    };
    let ours = worth(&plan)?;
    Ok(Outcome {
        earliest_end: worth(&greedy(problem, Rule::EarliestEnd))?,
        fewest_alternatives: worth(&greedy(problem, Rule::FewestAlternatives))?,
        bound: bound(problem, ours, BOUND_ROUNDS),
        ours,
        plan,
        day,
    })
}

impl Outcome {
    fn words(&self, chart: &Chart, session: &Session) -> String {
        let (from_ms, until_ms) = self.day.span_ms();
        let antennas = self
            .day
            .stations
            .iter()
            .map(|station| station.equipment.antennas);
        let mut text = format!(
            "{} over {} with {}, {} to {} UTC\n\n",
            count(self.day.wanted.len(), "request"),
            count(self.day.stations.len(), "station"),
            count(antennas.sum(), "antenna"),
            written(from_ms, "%Y-%m-%d %H:%M"),
            written(until_ms, "%Y-%m-%d %H:%M")
        );
        text += &session.out.fit(&self.scores());
        text +=
            "\nthe plan holds: a checker that shares nothing with the planner found no fault\n\n";
        text += &chart.text(session.out.columns());
        for (title, open) in [
            ("impossible, with any number of antennas", self.impossible()),
            ("possible, and not in this plan", self.unserved()),
        ] {
            text += &format!("\n{title}: {}\n", count(open.len(), "request"));
            if !open.is_empty() {
                text += &session.out.fit(&opens(&open));
            }
        }
        text
    }

    fn scores(&self) -> Table {
        let mut table = Table::new(&["PLAN", "WORTH", "OF THE BOUND"]);
        for (who, worth, tone) in [
            ("greedy, earliest end", self.earliest_end, Tone::Plain),
            (
                "greedy, fewest alternatives",
                self.fewest_alternatives,
                Tone::Plain,
            ),
            ("ours", self.ours, Tone::Good),
            ("upper bound", self.bound, Tone::Dim),
        ] {
            let share = 100.0 * worth as f64 / self.bound.max(1) as f64;
            table.row([
                Cell::new(who).tone(tone),
                Cell::number(worth),
                Cell::number(format!("{share:.2} %")),
            ]);
        }
        table
    }

    fn answer(&self) -> Answer {
        let requests = self.day.wanted.len();
        Answer {
            requests,
            possible: requests - self.day.problem().impossible().count(),
            earliest_end: self.earliest_end,
            fewest_alternatives: self.fewest_alternatives,
            ours: self.ours,
            bound: self.bound,
            contacts: self.rows(),
            impossible: self.impossible(),
            unserved: self.unserved(),
        }
    }

    fn impossible(&self) -> Vec<Open> {
        self.named(self.day.impossible())
    }

    fn unserved(&self) -> Vec<Open> {
        self.named(self.day.unserved(&self.plan))
    }

    fn named(&self, requests: Vec<(usize, String)>) -> Vec<Open> {
        let open = |(at, why): (usize, String)| {
            let one = &self.day.wanted[at];
            let begin = written(one.from_ms, "%m-%d %H:%M");
            Open {
                request: one.id.clone(),
                satellite: one.satellite.clone(),
                window: format!("{begin}-{}", written(one.until_ms, "%H:%M")),
                why,
            }
        };
        requests.into_iter().map(open).collect()
    }

    fn rows(&self) -> Vec<Row> {
        let booked = self.day.booked(&self.plan);
        booked.iter().map(|one| self.row(one)).collect()
    }

    fn row(&self, one: &Booked) -> Row {
        let pass = one.sighting.pass;
        Row {
            request: self.day.wanted[one.request].id.clone(),
            satellite: self.day.wanted[one.request].satellite.clone(),
            station: self.day.stations[one.sighting.station].name.clone(),
            antenna: one.antenna + 1,
            rise: iso(pass.rise_ms),
            set: iso(pass.set_ms),
            elevation_max_deg: (pass.elevation_max_deg * 10.0).round() / 10.0,
        }
    }

    fn chart(&self) -> Chart {
        let (from_ms, until_ms) = self.day.span_ms();
        let mut lanes = Vec::new();
        let mut firsts = Vec::new();
        for station in &self.day.stations {
            firsts.push(lanes.len());
            let antennas = station.equipment.antennas;
            for antenna in 1..=antennas {
                let label = match antennas {
                    1 => station.name.clone(),
                    _ => format!("{} {antenna}", station.name),
                };
                let bars = Vec::new();
                lanes.push(Lane { label, bars });
            }
        }
        for one in self.day.booked(&self.plan) {
            let pass = one.sighting.pass;
            let wanted = &self.day.wanted[one.request];
            lanes[firsts[one.sighting.station] + one.antenna]
                .bars
                .push(Bar {
                    from_ms: pass.rise_ms,
                    until_ms: pass.set_ms,
                    title: format!(
                        "{} {}-{}, request {}",
                        wanted.satellite,
                        written(pass.rise_ms, "%H:%M:%S"),
                        written(pass.set_ms, "%H:%M:%S"),
                        wanted.id
                    ),
                    kind: one.sighting.satellite,
                });
        }
        let day = written(from_ms, "%Y-%m-%d");
        let title = format!("{day}: {} of at most {}", self.ours, self.bound);
        Chart {
            title,
            from_ms,
            until_ms,
            lanes,
        }
    }
}

fn contacts(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "REQUEST",
        "SATELLITE",
        "STATION",
        "ANTENNA",
        "RISE",
        "SET",
        "ELEVATION",
    ]);
    for row in rows {
        table.row([
            Cell::new(&row.request),
            Cell::new(&row.satellite),
            Cell::new(&row.station),
            Cell::number(row.antenna),
            Cell::new(&row.rise),
            Cell::new(&row.set),
            Cell::number(format!("{:.1}", row.elevation_max_deg)),
        ]);
    }
    table
}

fn opens(rows: &[Open]) -> Table {
    let mut table = Table::new(&["REQUEST", "SATELLITE", "WINDOW", "WHY"]);
    for row in rows {
        table.row([
            Cell::new(&row.request),
            Cell::new(&row.satellite),
            Cell::new(&row.window),
            Cell::new(&row.why),
        ]);
    }
    table
}

async fn submit(
    args: &Plan,
    outcome: &Outcome,
    service: &PassesClient,
    session: &Session,
) -> Result<(), Failure> {
    let Some((program, rest)) = args.program.split_first() else {
        return Err(Failure::new(
            Exit::Usage,
            "there is no program: put it after `--`",
        ));
    };
    let template = Template {
        program: Program::Command {
            program: program.clone(),
            args: rest.to_vec(),
        },
        grace_ms: u64::try_from(millis(args.grace)).unwrap_or(0),
        cpu_millicores: args.cpu,
        memory_mb: args.memory,
        gpu_count: args.gpus,
    };
    let mut jobs = jobs(&outcome.day, &outcome.day.booked(&outcome.plan), &template);
    let planned = jobs.len();
    let now_ms = session.now_ms();
    jobs.retain(|job| job.deadline_ms > now_ms);
    jobs.sort_by_key(|job| Reverse(job.deadline_ms));
    let late = planned - jobs.len();
    let mut refused = Vec::new();
    let mut accepted = 0;
    while !jobs.is_empty() {
        let part = jobs.split_off(jobs.len().saturating_sub(BATCH_MAX));
        let keys: Vec<String> = part.iter().map(|job| job.key.clone()).collect();
        let reply = service.submit(&SubmitArgs { jobs: part }).await?;
        for (key, result) in keys.into_iter().zip(reply.results) {
            match result {
                Submitted::Accepted { .. } => accepted += 1,
                Submitted::Refused { why } => refused.push(format!("{key}: {why}")),
            }
        }
    }
    let jobs = count(planned, "job");
    let told = format!(
        "{jobs}: {accepted} accepted, {} refused, {late} too late",
        refused.len()
    );
    session.out.say(told);
    if refused.is_empty() {
        session.out.suggest("see them", "orrery passes list");
        return Ok(());
    }
    refused.iter().take(10).for_each(|why| session.out.say(why));
    let what = format!("{} refused", count(refused.len(), "job"));
    Err(Failure::new(Exit::Refused, what).hint("orrery passes stats"))
}
