//! `orrery passes plan --satnet`: a week of NASA's Deep Space Network.

use std::path::Path;

use client::passes::planning::contacts::satnet::{
    self, Network, Rival, Score, Track, check, published, solve_watched,
};
use serde::Serialize;

use super::chart::{Bar, Chart, Lane};
use super::inputs::{iso, read, wrong};
use super::plan::Plan;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone};
use crate::session::Session;

const STEPS: u64 = 1_000_000;

#[derive(Serialize)]
struct Answer {
    week: String,
    hours: f64,
    u_rms: f64,
    u_max: f64,
    satisfied: usize,
    requests: usize,
    tracks: Vec<Row>,
    unserved: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    resource: String,
    mission: i64,
    request: String,
    setup: String,
    on: String,
    off: String,
    free: String,
}

pub(super) fn run(args: &Plan, file: &Path, week: &str, session: &Session) -> Result<(), Failure> {
    let beside = file.with_file_name("maintenance.csv");
    let maintenance = read(args.maintenance.as_deref().unwrap_or(&beside))?;
    let network = satnet::read(&read(file)?, &maintenance, week).map_err(|e| wrong(file, &e))?;
    let steps = args.steps.unwrap_or(STEPS);
    let tracks = {
        let mut progress = session.out.progress("planning");
        let watch = &mut |done| progress.at(done, steps);
        solve_watched(&network.week, args.seed, steps, watch)
    };
    let score = check(&network.week, &tracks).map_err(|fault| {
        Failure::new(
            Exit::Failed,
            format!("the checker refuses the plan: {fault}"),
        )
        .hint("this is a fault of the planner: please report week, seed and steps")
    })?;
    args.draw(&chart(&network, &tracks), session)?;
    let rows: Vec<Row> = tracks.iter().map(|track| row(&network, track)).collect();
    match session.out.format() {
        Format::Json => session.out.json(&answer(&network, &score, rows)),
        Format::Table if !session.out.is_csv() => {
            session.out.text(&words(&network, &score, &tracks, session))
        }
        _ => session.out.list(&rows, || table(&rows)),
    }
}

fn words(network: &Network, score: &Score, tracks: &[Track], session: &Session) -> String {
    let span_s = network.week.span_s();
    let mut text = format!(
        "{}: {} requests of {} missions over {} antennas, {} to {}\n\n",
        network.name,
        network.requests.len(),
        network.missions.len(),
        network.antennas.len(),
        iso(span_s.start * 1_000),
        iso(span_s.end * 1_000)
    );
    text += &session.out.fit(&scores(score, &published(&network.name)));
    text += "\nthe plan holds: a checker that shares nothing with the planner found no fault\n";
    let without = open(network, tracks).len();
    text += &format!("{without} requests get nothing\n\n");
    text + &chart(network, tracks).text(session.out.columns())
}

fn scores(ours: &Score, rivals: &[Rival]) -> Table {
    let mut table = Table::new(&["PLAN", "HOURS", "U_RMS", "U_MAX", "SATISFIED"]);
    let theirs = rivals
        .iter()
        .map(|rival| (rival.who, &rival.score, Tone::Plain));
    for (who, score, tone) in theirs.chain([("ours", ours, Tone::Good)]) {
        table.row([
            Cell::new(who).tone(tone),
            Cell::number(format!("{:.0}", score.hours)),
            Cell::number(format!("{:.3}", score.u_rms)),
            Cell::number(format!("{:.2}", score.u_max)),
            Cell::number(score.satisfied),
        ]);
    }
    table
}

fn answer(network: &Network, score: &Score, tracks: Vec<Row>) -> Answer {
    let served: Vec<&str> = tracks.iter().map(|row| row.request.as_str()).collect();
    let names = network.requests.iter();
    Answer {
        week: network.name.clone(),
        hours: score.hours,
        u_rms: score.u_rms,
        u_max: score.u_max,
        satisfied: score.satisfied,
        requests: network.requests.len(),
        unserved: names
            .filter(|name| !served.contains(&name.as_str()))
            .cloned()
            .collect(),
        tracks,
    }
}

/// The requests that got nothing.
fn open(network: &Network, tracks: &[Track]) -> Vec<usize> {
    let all = 0..network.requests.len();
    all.filter(|at| tracks.iter().all(|track| track.request != *at))
        .collect()
}

fn row(network: &Network, track: &Track) -> Row {
    let asked = &network.week.requests()[track.request];
    let used = asked.ways[track.way].antennas.iter();
    let names: Vec<&str> = used.map(|&at| network.antennas[at].as_str()).collect();
    Row {
        resource: names.join("_"),
        mission: network.missions[asked.mission],
        request: network.requests[track.request].clone(),
        setup: iso((track.on_s - asked.setup_s) * 1_000),
        on: iso(track.on_s * 1_000),
        off: iso(track.off_s * 1_000),
        free: iso((track.off_s + asked.teardown_s) * 1_000),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "RESOURCE", "MISSION", "REQUEST", "SETUP", "ON", "OFF", "FREE",
    ]);
    for row in rows {
        table.row([
            Cell::new(&row.resource),
            Cell::number(row.mission),
            Cell::new(&row.request),
            Cell::new(&row.setup),
            Cell::new(&row.on),
            Cell::new(&row.off),
            Cell::new(&row.free),
        ]);
    }
    table
}

fn chart(network: &Network, tracks: &[Track]) -> Chart {
    let span_s = network.week.span_s();
    let mut lanes: Vec<Lane> = network
        .antennas
        .iter()
        .map(|name| Lane {
            label: name.clone(),
            bars: Vec::new(),
        })
        .collect();
    for track in tracks {
        let asked = &network.week.requests()[track.request];
        let mission = network.missions[asked.mission];
        for &antenna in &asked.ways[track.way].antennas {
            lanes[antenna].bars.push(Bar {
                from_ms: (track.on_s - asked.setup_s) * 1_000,
                until_ms: (track.off_s + asked.teardown_s) * 1_000,
                title: format!("mission {mission}, {}", network.requests[track.request]),
                kind: asked.mission,
            });
        }
    }
    lanes.sort_by(|a, b| a.label.cmp(&b.label));
    Chart {
        title: format!("Deep Space Network, {}", network.name),
        from_ms: span_s.start * 1_000,
        until_ms: span_s.end * 1_000,
        lanes,
    }
}
