//! A plan under construction: what is busy, and which gaps are left.

use super::model::{Track, Week};

/// What `U_max` counts for, beside one for `U_rms`.
const MOST: f64 = 0.15;

pub(super) struct State<'a> {
    pub(super) week: &'a Week,
    /// For each request its tracks.
    pub(super) tracks: Vec<Vec<Track>>,
    /// For each antenna when it is busy, by begin, with the request.
    pub(super) busy: Vec<Vec<(i64, i64, Option<usize>)>>,
    /// For each mission when it transmits.
    sends: Vec<Vec<(i64, i64)>>,
    asked_s: Vec<i64>,
    given_s: Vec<i64>,
    /// What was done since the last commit: whether a track was added, and which.
    log: Vec<(bool, Track)>,
}

impl<'a> State<'a> {
    pub(super) fn new(week: &'a Week) -> Self {
        let mut busy = vec![Vec::new(); week.antennas];
        for closed in &week.closed {
            busy[closed.antenna].push((closed.from_s, closed.until_s, None));
        }
        let mut asked_s = vec![0; week.missions];
        for request in &week.requests {
            asked_s[request.mission] += request.want_s;
        }
        Self {
            week,
            tracks: vec![Vec::new(); week.requests.len()],
            busy,
            sends: vec![Vec::new(); week.missions],
            asked_s,
            given_s: vec![0; week.missions],
            log: Vec::new(),
        }
    }

    pub(super) fn given_s(&self, request: usize) -> i64 {
        let tracks = self.tracks[request].iter();
        tracks.map(|track| track.off_s - track.on_s).sum()
    }

    /// The share that the mission of a request misses.
    pub(super) fn missed(&self, request: usize) -> f64 {
        self.share(self.week.requests[request].mission)
    }

    fn share(&self, mission: usize) -> f64 {
        1.0 - self.given_s[mission] as f64 / self.asked_s[mission].max(1) as f64
    }

    /// What the search makes small: the share of hours missed, `U_rms`, and some of `U_max`.
    pub(super) fn cost(&self) -> f64 {
        let asked_s: i64 = self.asked_s.iter().sum();
        let given_s: i64 = self.given_s.iter().sum();
        let (mut squares, mut most) = (0.0, 0.0);
        for mission in 0..self.week.missions {
            let share = self.share(mission);
            squares += share * share;
            most = f64::max(most, share);
        }
        let u_rms = f64::sqrt(squares / self.week.missions as f64);
        1.0 - given_s as f64 / asked_s.max(1) as f64 + u_rms + MOST * most
    }

    /// Adds a track, or takes it out again.
    fn apply(&mut self, added: bool, track: Track) {
        let request = &self.week.requests[track.request];
        let (from_s, until_s) = (
            track.on_s - request.setup_s,
            track.off_s + request.teardown_s,
        );
        let busy = (from_s, until_s, Some(track.request));
        for &antenna in &request.ways[track.way].antennas {
            change(&mut self.busy[antenna], added, busy);
        }
        let sends = &mut self.sends[request.mission];
        change(sends, added, (track.on_s, track.off_s));
        change(&mut self.tracks[track.request], added, track);
        let length_s = track.off_s - track.on_s;
        self.given_s[request.mission] += if added { length_s } else { -length_s };
    }

    pub(super) fn add(&mut self, track: Track) {
        self.log.push((true, track));
        self.apply(true, track);
    }

    pub(super) fn remove(&mut self, track: Track) {
        self.log.push((false, track));
        self.apply(false, track);
    }

    pub(super) fn mark(&self) -> usize {
        self.log.len()
    }

    pub(super) fn commit(&mut self) {
        self.log.clear();
    }

    /// Undoes all that was done since a mark.
    pub(super) fn undo(&mut self, mark: usize) {
        while self.log.len() > mark {
            let Some((added, track)) = self.log.pop() else {
                break;
            };
            self.apply(!added, track);
        }
    }

    /// The spans in which a request could transmit on one of its ways.
    pub(super) fn gaps(&self, request: usize, way: usize, out: &mut Vec<(i64, i64)>) {
        out.clear();
        let asked = &self.week.requests[request];
        let at = &asked.ways[way];
        let from_s = at.from_s.max(self.week.from_s + asked.setup_s);
        let until_s = at.until_s.min(self.week.until_s - asked.teardown_s);
        let mut blocks: Vec<(i64, i64)> = Vec::with_capacity(8);
        for &antenna in &at.antennas {
            for &(busy_s, free_s, _) in &self.busy[antenna] {
                let block = (busy_s - asked.teardown_s, free_s + asked.setup_s);
                if block.0 < until_s && block.1 > from_s {
                    blocks.push(block);
                }
            }
        }
        for &(on_s, off_s) in &self.sends[asked.mission] {
            if on_s < until_s && off_s > from_s {
                blocks.push((on_s, off_s));
            }
        }
        blocks.sort_unstable();
        let mut free_s = from_s;
        for (begin_s, end_s) in blocks {
            if begin_s > free_s {
                out.push((free_s, begin_s));
            }
            free_s = free_s.max(end_s);
        }
        if free_s < until_s {
            out.push((free_s, until_s));
        }
    }
}

fn change<T: PartialEq>(row: &mut Vec<T>, added: bool, entry: T) {
    if added {
        row.push(entry);
    } else if let Some(place) = row.iter().position(|other| *other == entry) {
        row.swap_remove(place);
    }
}
