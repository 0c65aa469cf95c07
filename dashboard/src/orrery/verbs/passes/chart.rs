//! Who is busy when: lanes with bars, as text for a terminal.

use super::inputs::written;

/// A stretch of time that something takes.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
    /// What it is, in words.
    pub(super) title: String,
    /// Bars of one kind have one colour.
    pub(super) kind: usize,
}

/// An antenna and what it does.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) label: String,
    pub(super) bars: Vec<Bar>,
}

/// Lanes over one stretch of time.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
    pub(super) lanes: Vec<Lane>,
}

/// How much of a column is taken, in eighths.
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How far apart the marks of an axis may be.
const MARKS_MS: [i64; 8] = [
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    24 * HOUR_MS,
];
/// Columns from one mark of a terminal's axis to the next, at least.
const MARK_COLUMNS: i64 = 8;
const LABEL_MAX: usize = 20;

impl Chart {
    pub(super) fn length_ms(&self) -> i64 {
        (self.until_ms - self.from_ms).max(1)
    }

    /// Marks of an axis, with words, no closer than `least_ms`.
    pub(super) fn marks(&self, least_ms: i64) -> Vec<(i64, String)> {
        let step_ms = MARKS_MS.into_iter().find(|step| *step >= least_ms);
        let step_ms = step_ms.unwrap_or_else(|| least_ms.max(1));
        let format = if step_ms < 24 * HOUR_MS {
            "%H:%M"
        } else {
            "%m-%d"
        };
        let first_ms = self.from_ms.div_euclid(step_ms) * step_ms;
        let mut marks = Vec::new();
        for index in 0..=self.length_ms() / step_ms + 1 {
            let at_ms = first_ms + index * step_ms;
            if at_ms >= self.from_ms && at_ms < self.until_ms {
                marks.push((at_ms, written(at_ms, format)));
            }
        }
        marks
    }

    /// A Gantt chart as text, no line longer than `columns`: the fuller a cell the busier.
    pub(super) fn text(&self, columns: usize) -> String {
        let widest = self
            .lanes
            .iter()
            .map(|lane| lane.label.chars().count())
            .max();
        let label = widest.unwrap_or(0).min(LABEL_MAX);
        let cells = columns
            .saturating_sub(label + " |".len() + "| 100 %".len())
            .max(1);
        let mut text = self.axis(label, cells);
        for lane in &self.lanes {
            let name: String = lane.label.chars().take(label).collect();
            let (row, percent) = self.row(lane, cells);
            text += &format!("{name:<label$} |{row}|{percent:>4.0} %\n");
        }
        text
    }

    fn axis(&self, label: usize, cells: usize) -> String {
        let mut axis = vec![' '; cells];
        let per_cell_ms = self.length_ms() / cells as i64;
        for (at_ms, words) in self.marks((per_cell_ms * MARK_COLUMNS).max(1)) {
            let place = (at_ms - self.from_ms) as usize * cells / self.length_ms() as usize;
            if place + words.len() <= cells {
                axis.splice(place..place + words.len(), words.chars());
            }
        }
        let axis: String = axis.into_iter().collect();
        format!("{:<label$}  {}\n", "", axis.trim_end())
    }

    /// The cells of a lane, and the share of all its time that is taken, in percent.
    fn row(&self, lane: &Lane, cells: usize) -> (String, f64) {
        let mut taken = vec![0.0; cells];
        let length = self.length_ms() as f64;
        let cell = |ms: i64| (ms - self.from_ms) as f64 / length * cells as f64;
        for bar in &lane.bars {
            let (from, until) = (cell(bar.from_ms), cell(bar.until_ms));
            for (place, share) in taken.iter_mut().enumerate() {
                let (begin, end) = (place as f64, place as f64 + 1.0);
                *share += (until.min(end) - from.max(begin)).max(0.0);
            }
        }
        let all = taken.iter().sum::<f64>() / cells as f64 * 100.0;
        let level = |share: f64| match share {
            share if share <= 0.0 => 0,
            share => (share * 8.0).round().clamp(1.0, 8.0) as usize,
        };
        (
            taken
                .into_iter()
                .map(|share| LEVELS[level(share)])
                .collect(),
            all,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, Chart, HOUR_MS, Lane};

    fn chart(hours: i64) -> Chart {
        let bar = |from, until| Bar {
            from_ms: from * HOUR_MS,
            until_ms: until * HOUR_MS,
            title: String::new(),
            kind: 0,
        };
        let lane = |label: &str, bars| Lane {
            label: label.to_owned(),
            bars,
        };
        Chart {
            title: String::new(),
            from_ms: 0,
            until_ms: hours * HOUR_MS,
            lanes: vec![
                lane("Svalbard 1", vec![bar(0, 6), bar(12, 18)]),
                lane("Tromso", vec![]),
                lane(
                    "a station with a name that never seems to end",
                    vec![bar(0, 24)],
                ),
            ],
        }
    }

    #[test]
    fn a_chart_fits_the_columns_that_it_is_given() {
        for columns in [40, 80, 132] {
            for hours in [1, 24, 180, 10_000] {
                let text = chart(hours).text(columns);
                let widest = text.lines().map(|line| line.chars().count()).max();
                assert!(
                    widest <= Some(columns),
                    "{columns} columns, {hours} h:\n{text}"
                );
            }
        }
    }

    #[test]
    fn a_cell_is_as_full_as_its_time_is_taken() {
        let text = chart(24).text(53);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0].split_whitespace().collect::<Vec<_>>(),
            ["00:00", "12:00"]
        );
        assert_eq!(
            lines[1],
            "Svalbard 1           |██████      ██████      |  50 %"
        );
        assert_eq!(
            lines[2],
            "Tromso               |                        |   0 %"
        );
        assert!(
            lines[3].ends_with("|████████████████████████| 100 %"),
            "{text}"
        );
    }
}
