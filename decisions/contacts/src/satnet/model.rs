//! What a week asks, and what a plan gives.

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
    /// Nothing is busy before.
    pub from_s: i64,
    /// Nothing is busy after.
    pub until_s: i64,
    /// How many antennas there are.
    pub antennas: usize,
    /// How many missions there are.
    pub missions: usize,
    /// The maintenance.
    pub closed: Vec<Closed>,
    /// The requests.
    pub requests: Vec<Request>,
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
