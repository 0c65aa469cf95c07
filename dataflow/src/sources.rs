//! Where rows come from.
//!
//! A source is made of *splits*, each read by one subtask from a position that its checkpoint
//! holds. Splits have names, so that they find their positions again at any parallelism.

mod files;
pub(crate) mod impulse;
pub mod log;
mod rows;
mod tcp;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::columns::{Batch, END_OF_TIME, times};
use crate::failure::{Failure, Halt};
use crate::operators::State;
use crate::plan::{self, Connector};

/// What a reader has.
pub(crate) enum Read {
    /// Rows, at least one.
    Batch(Batch),
    /// Nothing now.
    Quiet,
    /// Nothing any more.
    End,
}

/// Reads one split.
pub(crate) trait Reader: Send {
    /// Reads up to so many rows, waiting no longer than the linger of its options.
    fn read(&mut self, rows: usize) -> Result<Read, Halt>;
    /// From where to go on.
    fn position(&self) -> u64;
}

/// Which subtask of how many, with where it counts rows that it cannot read.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) node: String,
    pub(crate) subtask: u32,
    pub(crate) parallelism: u32,
    pub(crate) bad: Arc<AtomicU64>,
}

/// The position of a split, in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Position {
    position: u64,
    watermark: Option<i64>,
}

/// The splits of one subtask.
pub(crate) struct Source {
    splits: Vec<Split>,
    next: usize,
    delay: i64,
    batch: usize,
    /// The last watermark given out.
    watermark: Option<i64>,
    stepping: bool,
    steps: u64,
    pub(crate) linger: Duration,
}

struct Split {
    id: String,
    reader: Box<dyn Reader>,
    watermark: Option<i64>,
    ended: bool,
}

impl Source {
    /// The splits of this subtask, from the positions that the subtasks of an earlier run stored.
    pub(crate) fn open(
        source: &plan::Source,
        place: &Place,
        stored: &[&serde_json::Value],
    ) -> Result<Source, Halt> {
        let mut known: BTreeMap<String, Position> = BTreeMap::new();
        for value in stored {
            let more: BTreeMap<String, Position> =
                serde_json::from_value((*value).clone()).map_err(crate::operators::internal)?;
            known.extend(more);
        }
        let mut ids = splits(source, place, &known)?;
        ids.sort();
        let own = ids
            .into_iter()
            .enumerate()
            .filter(|(index, _)| *index as u32 % place.parallelism == place.subtask);
        let mut splits = Vec::new();
        for (_, id) in own {
            let position = known.get(&id).cloned();
            let from = position.as_ref().map_or(0, |position| position.position);
            let reader = reader(source, place, &id, from)?;
            let watermark = position.and_then(|position| position.watermark);
            splits.push(Split {
                id,
                reader,
                watermark,
                ended: false,
            });
        }
        Ok(Source {
            splits,
            next: 0,
            delay: source.delay,
            batch: if source.options.stepping {
                1
            } else {
                source.options.batch
            },
            watermark: None,
            stepping: source.options.stepping,
            steps: 0,
            linger: Duration::from_millis(source.options.linger),
        })
    }

    /// Allows so many more rows, in stepping mode.
    pub(crate) fn step(&mut self, rows: u64) {
        self.steps += rows;
    }

    /// Whether it must be told to step before it reads.
    pub(crate) fn waits(&self) -> bool {
        self.stepping && self.steps == 0
    }

    /// Reads from the next split that has something.
    pub(crate) fn read(&mut self) -> Result<Read, Halt> {
        for _ in 0..self.splits.len() {
            self.next = (self.next + 1) % self.splits.len();
            let split = &mut self.splits[self.next];
            if split.ended {
                continue;
            }
            match split.reader.read(self.batch)? {
                Read::Batch(batch) => {
                    let least = times(&batch).iter().copied().min();
                    let mark = least.map(|least| least.saturating_sub(self.delay));
                    split.watermark = split.watermark.max(mark);
                    self.steps = self.steps.saturating_sub(1);
                    return Ok(Read::Batch(batch));
                }
                Read::Quiet => {}
                Read::End => split.ended = true,
            }
        }
        let ended = self.splits.iter().all(|split| split.ended);
        Ok(if ended { Read::End } else { Read::Quiet })
    }

    /// The watermark, if it has advanced: the least of its splits'.
    pub(crate) fn advanced(&mut self) -> Option<i64> {
        let of = |split: &Split| {
            if split.ended {
                Some(END_OF_TIME)
            } else {
                split.watermark
            }
        };
        let least = self.splits.iter().map(of).min().flatten()?;
        if least == END_OF_TIME || Some(least) <= self.watermark {
            return None;
        }
        self.watermark = Some(least);
        Some(least)
    }

    /// The positions of its splits.
    pub(crate) fn state(&self) -> State {
        let of = |split: &Split| {
            let position = split.reader.position();
            (
                split.id.clone(),
                Position {
                    position,
                    watermark: split.watermark,
                },
            )
        };
        let positions: BTreeMap<String, Position> = self.splits.iter().map(of).collect();
        State {
            value: serde_json::json!(positions),
            ..State::default()
        }
    }
}

/// The names of all splits.
fn splits(
    source: &plan::Source,
    place: &Place,
    known: &BTreeMap<String, Position>,
) -> Result<Vec<String>, Halt> {
    let mut ids: Vec<String> = known.keys().cloned().collect();
    let found = match &source.connector {
        Connector::Files { paths } => files::found(paths)?,
        Connector::Impulse { .. } if ids.is_empty() => (0..place.parallelism)
            .map(|lane| format!("{lane}/{}", place.parallelism))
            .collect(),
        Connector::Impulse { .. } => Vec::new(),
        Connector::Tcp { address } => vec![address.clone()],
        Connector::Log { partitions, .. } => (0..*partitions).map(|n| n.to_string()).collect(),
    };
    ids.extend(found);
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn reader(
    source: &plan::Source,
    place: &Place,
    id: &str,
    from: u64,
) -> Result<Box<dyn Reader>, Halt> {
    let rows = || rows::Rows::new(source, place);
    Ok(match &source.connector {
        Connector::Files { .. } => Box::new(files::Lines::whole(Path::new(id), from, rows()?)?),
        Connector::Log { path, bounded, .. } => Box::new(files::Lines::log(
            &log::file(path, id),
            from,
            *bounded,
            rows()?,
        )?),
        Connector::Tcp { address } => {
            Box::new(tcp::Tcp::connect(address, source.options.linger, rows()?)?)
        }
        Connector::Impulse {
            count,
            rate,
            step,
            start,
        } => {
            let lane = id
                .split_once('/')
                .and_then(|(lane, lanes)| Some((lane.parse().ok()?, lanes.parse().ok()?)));
            let lane = lane.ok_or_else(|| Failure::user(format!("there is no lane {id}")))?;
            let times = impulse::Times {
                start: *start,
                step: *step,
            };
            Box::new(impulse::Impulse::new(lane, *count, *rate, times, from))
        }
    })
}
