//! What a week asks, and what a plan gives.

use std::ops::Range;

use thiserror::Error;

/// Requests of this length or more may be split.
pub(crate) const SPLIT_S: i64 = 8 * 3_600;
/// No piece of a split request is shorter.
pub(crate) const PIECE_S: i64 = 4 * 3_600;

/// A view period of one resource: when a request could transmit there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Indices of the antennas that are used together.
    pub antennas: Vec<usize>,
    /// First second of the view period.
    pub from_s: i64,
    /// End of the view period.
    pub until_s: i64,
}

/// What a mission asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Index of the mission, from 0 on.
    pub mission: usize,
    /// The seconds it wants.
    pub want_s: i64,
    /// Fewer seconds than these are worth nothing.
    pub least_s: i64,
    /// How long antennas are busy before each transmission.
    pub setup_s: i64,
    /// How long they are busy after it.
    pub teardown_s: i64,
    /// Where and when it can transmit.
    pub ways: Vec<Way>,
}

/// A time at which an antenna is in maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Index of the antenna.
    pub antenna: usize,
    /// When it closes.
    pub from_s: i64,
    /// When it opens again.
    pub until_s: i64,
}

/// A week of the network.
#[derive(Debug, Clone)]
pub struct Week {
    pub(crate) from_s: i64,
    pub(crate) until_s: i64,
    pub(crate) antennas: usize,
    pub(crate) missions: usize,
    pub(crate) closed: Vec<Closed>,
    pub(crate) requests: Vec<Request>,
}

/// Why a week is none, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeekError {
    /// It ends before it begins, or is out of all proportion.
    #[error("the week does not end after it begins, or lies too far away")]
    Span,
    /// More than 65,536 antennas or missions.
    #[error("more than {MANY} antennas or missions")]
    Many,
    /// A maintenance of an antenna that does not exist, or that does not end after it begins.
    #[error("maintenance {0} is of no antenna, or does not end after it begins")]
    Closed(usize),
    /// A request of a mission that does not exist.
    #[error("request {0} is of no mission")]
    Mission(usize),
    /// A request that wants nothing, or whose least is more than it wants or negative.
    #[error("request {0} wants no time, or at least more than it wants")]
    Length(usize),
    /// Negative set-up or tear-down.
    #[error("request {0} sets up or tears down for a negative time")]
    Busy(usize),
    /// A way with no antenna, one that does not exist, or the same one twice.
    #[error("request {request}, view period {way}: no antenna, an unknown one, or one twice")]
    Antennas {
        /// Index of the request.
        request: usize,
        /// Index of its way.
        way: usize,
    },
    /// A view period that does not end after it begins, or lies too far away.
    #[error("request {request}, view period {way}: it does not end after it begins")]
    Period {
        /// Index of the request.
        request: usize,
        /// Index of its way.
        way: usize,
    },
}

/// Most antennas, and most missions.
const MANY: usize = 1 << 16;
/// Times beyond this (30,000 years) are refused, so that no sum of a few of them overflows.
const FAR_S: i64 = 1 << 40;

impl Week {
    /// Takes a week together: nothing is busy before `span_s` or after; antennas and missions are
    /// numbered from 0.
    ///
    /// # Errors
    ///
    /// [`WeekError`] names the first thing that cannot be meant.
    pub fn new(
        span_s: Range<i64>,
        antennas: usize,
        missions: usize,
        closed: Vec<Closed>,
        requests: Vec<Request>,
    ) -> Result<Self, WeekError> {
        if !forwards(span_s.start, span_s.end) {
            return Err(WeekError::Span);
        }
        if antennas > MANY || missions > MANY {
            return Err(WeekError::Many);
        }
        for (index, shut) in closed.iter().enumerate() {
            if shut.antenna >= antennas || !forwards(shut.from_s, shut.until_s) {
                return Err(WeekError::Closed(index));
            }
        }
        for (index, request) in requests.iter().enumerate() {
            request.validate(index, antennas, missions)?;
        }
        Ok(Self {
            from_s: span_s.start,
            until_s: span_s.end,
            antennas,
            missions,
            closed,
            requests,
        })
    }

    /// From when until when antennas can be busy, in seconds.
    #[must_use]
    pub fn span_s(&self) -> Range<i64> {
        self.from_s..self.until_s
    }

    /// How many antennas there are.
    #[must_use]
    pub fn antennas(&self) -> usize {
        self.antennas
    }

    /// How many missions there are.
    #[must_use]
    pub fn missions(&self) -> usize {
        self.missions
    }

    /// The maintenance, as it was given.
    #[must_use]
    pub fn closed(&self) -> &[Closed] {
        &self.closed
    }

    /// The requests, as they were given.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }
}

fn forwards(from_s: i64, until_s: i64) -> bool {
    -FAR_S < from_s && from_s < until_s && until_s < FAR_S
}

impl Request {
    fn validate(&self, request: usize, antennas: usize, missions: usize) -> Result<(), WeekError> {
        if self.mission >= missions {
            return Err(WeekError::Mission(request));
        }
        if !(1..FAR_S).contains(&self.want_s) || !(0..=self.want_s).contains(&self.least_s) {
            return Err(WeekError::Length(request));
        }
        let sane = |busy_s: i64| (0..FAR_S).contains(&busy_s);
        if !sane(self.setup_s) || !sane(self.teardown_s) {
            return Err(WeekError::Busy(request));
        }
        for (way, at) in self.ways.iter().enumerate() {
            let once = |(place, antenna): (usize, &usize)| {
                *antenna < antennas && !at.antennas[..place].contains(antenna)
            };
            if at.antennas.is_empty() || !at.antennas.iter().enumerate().all(once) {
                return Err(WeekError::Antennas { request, way });
            }
            if !forwards(at.from_s, at.until_s) {
                return Err(WeekError::Period { request, way });
            }
        }
        Ok(())
    }
}

/// One transmission of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// Index of the request.
    pub request: usize,
    /// Index of its way.
    pub way: usize,
    /// When transmission begins.
    pub on_s: i64,
    /// When it ends.
    pub off_s: i64,
}

/// How good a plan is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Hours of transmission, an array counted once.
    pub hours: f64,
    /// Root of the mean square of the share that each mission misses.
    pub u_rms: f64,
    /// The largest share that a mission misses.
    pub u_max: f64,
    /// Requests with at least their least.
    pub satisfied: usize,
}
