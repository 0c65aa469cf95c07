//! What the rounds say, as tables.

use std::fmt::Write;

use clap::ValueEnum;

use super::{Outcome, Point};
use crate::peers::Role;
use crate::report::table;
use crate::units::{median, micros, rate, to_f64};

/// The targets for one connection and 64 B: in flight, whom to compare with, at least.
const TARGETS: &[(usize, Role, f64)] = &[
    (1, Role::Raw, 0.85),
    (64, Role::Raw, 0.4),
    #[cfg(feature = "peers")]
    (64, Role::Tonic, 20.0),
    #[cfg(feature = "peers")]
    (64, Role::Tarpc, 4.0),
    (512, Role::Raw, 0.3),
];

/// One measurement of one role.
pub(super) struct Round {
    pub(super) role: Role,
    pub(super) point: Point,
    pub(super) outcome: Outcome,
    pub(super) client_cpu_ns: u64,
    pub(super) server_cpu_ns: u64,
}

impl Round {
    fn per_call_us(&self, cpu_ns: u64) -> f64 {
        to_f64(cpu_ns) / to_f64(self.outcome.calls) / 1e3
    }
}

/// All measurements of one layout, in the order they were made, each with its round's number.
#[derive(Default)]
pub(super) struct Results {
    rounds: Vec<(usize, Round)>,
    failures: Vec<(Point, String)>,
}

impl Results {
    pub(super) fn push(&mut self, number: usize, round: Round) {
        self.rounds.push((number, round));
    }

    /// A peer that fails under load loses the round; the table says so.
    pub(super) fn fail(&mut self, role: Role, point: Point, why: &str) {
        eprintln!("rpc: {} failed at {point}: {why}", role.name());
        self.failures
            .push((point, format!("{} failed in a round: {why}", role.name())));
    }

    fn points(&self) -> Vec<Point> {
        let mut points: Vec<Point> = self.rounds.iter().map(|(_, round)| round.point).collect();
        points.dedup();
        points
    }

    fn of(&self, role: Role, point: Point) -> impl Iterator<Item = &(usize, Round)> {
        let rounds = self.rounds.iter();
        rounds.filter(move |(_, round)| round.role == role && round.point == point)
    }

    fn median(&self, role: Role, point: Point, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.of(role, point).map(|(_, round)| of(round)).collect())
    }

    /// How many times as many calls ours does: the median of the ratios within each round, since
    /// what disturbs a round disturbs all of it.
    fn ours_to(&self, role: Role, point: Point) -> f64 {
        let ratio = |(number, theirs): &(usize, Round)| {
            let (_, ours) = self
                .of(Role::Ours, point)
                .find(|(other, _)| other == number)?;
            Some(ours.outcome.per_second / theirs.outcome.per_second)
        };
        median(self.of(role, point).filter_map(ratio).collect())
    }
}

/// The tables of one layout.
pub(super) fn of_layout(title: &str, results: &Results) -> String {
    let mut text = format!("\n### {title}\n");
    for point in results.points() {
        let _ = write!(text, "\n{point}\n\n{}\n", of_point(results, point));
        for (_, failure) in results.failures.iter().filter(|(at, _)| *at == point) {
            let _ = writeln!(text, "\n{failure}");
        }
    }
    text
}

fn of_point(results: &Results, point: Point) -> String {
    let row = |&role: &Role| {
        let shown = |of: &dyn Fn(&Round) -> f64| micros(results.median(role, point, of));
        let quantile_us =
            |round: &Round, q| to_f64(round.outcome.latency.value_at_quantile(q)) / 1e3;
        vec![
            role.name(),
            rate(results.median(role, point, |round| round.outcome.per_second)),
            format!("{:.2}", results.ours_to(role, point)),
            shown(&|round| quantile_us(round, 0.5)),
            shown(&|round| quantile_us(round, 0.99)),
            shown(&|round| round.per_call_us(round.client_cpu_ns)),
            shown(&|round| round.per_call_us(round.server_cpu_ns)),
        ]
    };
    let header = [
        "",
        "calls/s",
        "ours is x",
        "p50",
        "p99",
        "client CPU/call",
        "server CPU/call",
    ];
    table(&header, Role::value_variants().iter().map(row).collect())
}

/// Whether the targets are met; they are about one core.
pub(super) fn targets(results: &Results) -> String {
    let mut rows = Vec::new();
    for &(in_flight, role, least) in TARGETS {
        let measured = results.ours_to(
            role,
            Point::Closed {
                payload_bytes: 64,
                in_flight,
            },
        );
        rows.push(vec![
            format!("{in_flight} in flight, ours to {}", role.name()),
            format!("{least}"),
            format!("{measured:.2}"),
            if measured >= least { "pass" } else { "MISS" }.to_owned(),
        ]);
    }
    let table = table(&["", "at least", "measured", ""], rows);
    format!("\nTargets, 64 B, both ends on one core\n\n{table}\n")
}
