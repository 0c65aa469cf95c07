//! What the rounds say, as tables.

use std::fmt::Write;

use super::load::Outcome;
use super::{Point, ROLES};
use crate::child::Role;
use crate::report::table;
use crate::units::{bytes, median, micros, rate};

/// The targets for one connection and 64 B: in flight, whom to compare with, at least.
const TARGETS: &[(usize, Role, f64)] = &[
    (1, Role::Raw, 0.85),
    (64, Role::Raw, 0.4),
    (64, Role::Tonic, 20.0),
    (64, Role::Tarpc, 4.0),
    (512, Role::Raw, 0.3),
];

/// One measurement of one role.
pub(super) struct Round {
    pub(super) role: Role,
    pub(super) point: Point,
    pub(super) outcome: Outcome,
    pub(super) server_cpu_ns: u64,
}

/// All measurements of one layout.
#[derive(Default)]
pub(super) struct Results(Vec<Round>);

impl Results {
    pub(super) fn push(&mut self, round: Round) {
        self.0.push(round);
    }

    fn points(&self) -> Vec<Point> {
        let mut points: Vec<Point> = self.0.iter().map(|round| round.point).collect();
        points.dedup();
        points
    }

    /// The median over the rounds of one role at one point.
    fn median(&self, role: Role, point: Point, of: impl Fn(&Round) -> f64) -> f64 {
        let rounds = self.0.iter();
        let these = rounds.filter(|round| round.role == role && round.point == point);
        median(these.map(of).collect())
    }

    fn per_second(&self, role: Role, point: Point) -> f64 {
        self.median(role, point, |round| round.outcome.per_second)
    }

    /// How many times as many calls ours does: the median of the ratios within each round, since
    /// what disturbs a round disturbs all of it.
    fn ours_to(&self, role: Role, point: Point) -> f64 {
        let of = |role| {
            let rounds = self.0.iter();
            rounds.filter(move |round| round.role == role && round.point == point)
        };
        let pairs = of(Role::Ours).zip(of(role));
        let ratio =
            |(ours, theirs): (&Round, &Round)| ours.outcome.per_second / theirs.outcome.per_second;
        median(pairs.map(ratio).collect())
    }
}

/// What ours is measured beside.
pub(super) fn versions() -> String {
    if cfg!(feature = "peers") {
        "Peers: tonic 0.14 with prost 0.14, tarpc 0.38 with bincode 1 over TCP, both as they come; \
         raw is tokio with tokio-util's `LengthDelimitedCodec`, echoing.\n"
            .to_owned()
    } else {
        "Built without the feature `peers`: raw and ours only.\n".to_owned()
    }
}

/// The tables of one layout.
pub(super) fn of_layout(title: &str, results: &Results) -> String {
    let mut text = format!("\n### {title}\n");
    for point in results.points() {
        let _ = write!(
            text,
            "\n{}, {} in flight\n\n{}\n",
            bytes(point.payload_bytes),
            point.in_flight,
            of_point(results, point)
        );
    }
    text
}

fn of_point(results: &Results, point: Point) -> String {
    let rows = ROLES.iter().map(|&role| {
        let quantile = |q| {
            let of = move |round: &Round| to_f64(round.outcome.latency.value_at_quantile(q)) / 1e3;
            micros(results.median(role, point, of))
        };
        let cpu_us =
            |round: &Round| to_f64(round.server_cpu_ns) / to_f64(round.outcome.calls) / 1e3;
        vec![
            format!("{role:?}").to_lowercase(),
            rate(results.per_second(role, point)),
            format!("{:.2}", results.ours_to(role, point)),
            quantile(0.5),
            quantile(0.99),
            micros(results.median(role, point, cpu_us)),
        ]
    });
    let header = ["", "calls/s", "ours is x", "p50", "p99", "server CPU/call"];
    table(&header, rows.collect())
}

/// Whether the targets are met; they are about one core.
pub(super) fn targets(results: &Results) -> String {
    let mut rows = Vec::new();
    for &(in_flight, role, least) in TARGETS.iter().filter(|target| ROLES.contains(&target.1)) {
        let measured = results.ours_to(
            role,
            Point {
                payload_bytes: 64,
                in_flight,
            },
        );
        rows.push(vec![
            format!("{in_flight} in flight, ours to {role:?}").to_lowercase(),
            format!("{least}"),
            format!("{measured:.2}"),
            if measured >= least { "pass" } else { "MISS" }.to_owned(),
        ]);
    }
    let table = table(&["", "at least", "measured", ""], rows);
    format!("\nTargets, 64 B, both ends on one core\n\n{table}\n")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds and counts are far below 2^52"
)]
fn to_f64(value: u64) -> f64 {
    value as f64
}
