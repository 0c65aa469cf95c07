//! What others reached on the same weeks.

use super::model::Score;

/// A plan of others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rival {
    /// Who, or by which rule.
    pub who: &'static str,
    /// What was reached.
    pub score: Score,
}

const WHO: [&str; 5] = [
    "delta-MILP (Claudet 2022)",
    "RL PPO, best of 1000",
    "EDF, one pass",
    "mission-fair greedy",
    "squeaky-wheel, 20 s",
];

/// Hours, `U_rms`, `U_max`, satisfied requests.
type Row = (f64, f64, f64, usize);

const W20: [Row; 5] = [
    (1059.0, 0.21, 0.64, 249),
    (1000.0, 0.27, 0.81, 223),
    (1047.0, 0.240, 0.73, 244),
    (1060.0, 0.216, 0.56, 235),
    (1145.0, 0.163, 0.55, 251),
];
const W50: [Row; 5] = [
    (816.0, 0.35, 0.60, 197),
    (879.0, 0.36, 0.67, 185),
    (849.0, 0.347, 0.78, 205),
    (855.0, 0.308, 0.43, 191),
    (869.0, 0.294, 0.54, 196),
];

/// What others reached on a week, by its name in the data set; empty for weeks nobody told of.
///
/// The first two rows are of the `SatNet` paper (AAAI-22 ML4OR, tables 2 and 3), the others were
/// measured under the model of [`check`](super::check).
#[must_use]
pub fn published(week: &str) -> Vec<Rival> {
    let rows = match week {
        "W20_2018" => W20,
        "W50_2018" => W50,
        _ => return Vec::new(),
    };
    let rival = |(who, (hours, u_rms, u_max, satisfied))| Rival {
        who,
        score: Score {
            hours,
            u_rms,
            u_max,
            satisfied,
        },
    };
    WHO.into_iter().zip(rows).map(rival).collect()
}
