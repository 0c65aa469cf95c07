//! Judges plans of the Deep Space Network, and shares no code with the search.

use thiserror::Error;

use super::model::{Score, Track, Week};

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// A track of a request or way that does not exist.
    #[error("track {0} is of no request or view period")]
    Unknown(usize),
    /// A transmission outside its view period, or an antenna busy outside the week.
    #[error("track {0} is outside its view period or the week")]
    Outside(usize),
    /// An antenna is busy twice at one moment.
    #[error("tracks {0} and {1} need one antenna at the same time")]
    Collision(usize, usize),
    /// An antenna is busy during its maintenance.
    #[error("track {0} needs an antenna in maintenance")]
    Maintenance(usize),
    /// A mission transmits twice at one moment.
    #[error("tracks {0} and {1} are of one mission at the same time")]
    Mission(usize, usize),
    /// A request has less than its least, or more than it wants.
    #[error("request {0} has less than its least or more than it wants")]
    Length(usize),
    /// A request is in pieces that it may not be in.
    #[error("request {0} is split and may not be, or into pieces that are too short")]
    Split(usize),
}

/// Holds a plan against its week.
///
/// # Errors
///
/// The first [`Fault`] that is found.
pub fn check(week: &Week, tracks: &[Track]) -> Result<Score, Fault> {
    for (index, track) in tracks.iter().enumerate() {
        alone(week, index, track)?;
        for (before, other) in tracks[..index].iter().enumerate() {
            together(week, (before, other), (index, track))?;
        }
    }
    lengths(week, tracks)
}

fn alone(week: &Week, index: usize, track: &Track) -> Result<(), Fault> {
    let request = week
        .requests
        .get(track.request)
        .ok_or(Fault::Unknown(index))?;
    let way = request.ways.get(track.way).ok_or(Fault::Unknown(index))?;
    // why: only what lies in its view period is near enough for sums that cannot overflow.
    let seen = way.from_s <= track.on_s && track.on_s < track.off_s && track.off_s <= way.until_s;
    if !seen {
        return Err(Fault::Outside(index));
    }
    let busy_s = track.on_s - request.setup_s;
    let free_s = track.off_s + request.teardown_s;
    if busy_s < week.from_s || free_s > week.until_s {
        return Err(Fault::Outside(index));
    }
    let closed = week.closed.iter().any(|closed| {
        let overlaps = closed.from_s < free_s && busy_s < closed.until_s;
        overlaps && way.antennas.contains(&closed.antenna)
    });
    if closed {
        Err(Fault::Maintenance(index))
    } else {
        Ok(())
    }
}

fn together(week: &Week, one: (usize, &Track), two: (usize, &Track)) -> Result<(), Fault> {
    let (a, b) = (one.1, two.1);
    let (of_a, of_b) = (&week.requests[a.request], &week.requests[b.request]);
    let transmit = a.on_s < b.off_s && b.on_s < a.off_s;
    if of_a.mission == of_b.mission && transmit {
        return Err(Fault::Mission(one.0, two.0));
    }
    let busy = a.on_s - of_a.setup_s < b.off_s + of_b.teardown_s
        && b.on_s - of_b.setup_s < a.off_s + of_a.teardown_s;
    let with = &of_b.ways[b.way].antennas;
    let shared = of_a.ways[a.way]
        .antennas
        .iter()
        .any(|antenna| with.contains(antenna));
    if busy && shared {
        return Err(Fault::Collision(one.0, two.0));
    }
    Ok(())
}

fn lengths(week: &Week, tracks: &[Track]) -> Result<Score, Fault> {
    let mut asked_s = vec![0; week.missions];
    let mut given_s = vec![0; week.missions];
    let mut satisfied = 0;
    for (index, request) in week.requests.iter().enumerate() {
        asked_s[request.mission] += request.want_s;
        let pieces = tracks.iter().filter(|track| track.request == index);
        let lengths_s: Vec<i64> = pieces.map(|track| track.off_s - track.on_s).collect();
        if lengths_s.is_empty() {
            continue;
        }
        let short = lengths_s.iter().any(|&length_s| length_s < 4 * 3_600);
        if lengths_s.len() > 1 && (request.want_s < 8 * 3_600 || short) {
            return Err(Fault::Split(index));
        }
        let sum_s: i64 = lengths_s.iter().sum();
        if sum_s < request.least_s || sum_s > request.want_s {
            return Err(Fault::Length(index));
        }
        given_s[request.mission] += sum_s;
        satisfied += 1;
    }
    let missions = asked_s
        .iter()
        .zip(&given_s)
        .filter(|(asked_s, _)| **asked_s > 0);
    let missed: Vec<f64> = missions
        .map(|(&asked_s, &given_s)| 1.0 - given_s as f64 / asked_s as f64)
        .collect();
    let squares: f64 = missed.iter().map(|part| part * part).sum();
    Ok(Score {
        hours: given_s.iter().sum::<i64>() as f64 / 3_600.0,
        u_rms: (squares / missed.len().max(1) as f64).sqrt(),
        u_max: missed.iter().copied().fold(0.0, f64::max),
        satisfied,
    })
}
