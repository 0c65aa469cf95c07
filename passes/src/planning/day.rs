//! Requests beside the passes that would serve them.

use std::collections::{BTreeMap, BTreeSet};

use contacts::{Contact, Plan, Problem, ProblemError, Request, Site};

use super::sky::{Sighting, Sky};
use super::tables::{GroundStation, Wanted};

/// Stations, requests and passes, and the problem that they are.
#[derive(Debug, Clone)]
pub struct Day {
    /// The stations.
    pub stations: Vec<GroundStation>,
    /// The requests.
    pub wanted: Vec<Wanted>,
    /// The passes.
    pub sky: Sky,
    /// For each request the sightings that would do, in the order of its contacts.
    ways: Vec<Vec<usize>>,
    problem: Problem,
}

/// A contact of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Booked {
    /// Index of the request.
    pub request: usize,
    /// The pass it got.
    pub sighting: Sighting,
    /// Which antenna of the station, from 0.
    pub antenna: usize,
}

impl Day {
    /// Finds for each request the whole passes in its window that are long enough.
    ///
    /// # Errors
    /// A station or a request is out of all proportion.
    pub fn new(
        stations: Vec<GroundStation>,
        wanted: Vec<Wanted>,
        sky: Sky,
    ) -> Result<Self, ProblemError> {
        let mut of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, sighting) in sky.sightings.iter().enumerate() {
            let name = sky.satellites[sighting.satellite].as_str();
            of.entry(name).or_default().push(index);
        }
        let (mut ways, mut requests) = (Vec::new(), Vec::new());
        for one in &wanted {
            let all = of.get(one.satellite.as_str()).into_iter().flatten();
            let fits = |index: &usize| {
                let sighting = &sky.sightings[*index];
                whole(one, sighting) && length_ms(sighting) >= one.contact_min_ms.max(1)
            };
            let way: Vec<usize> = all.copied().filter(fits).collect();
            let contact = |index: &usize| {
                let Sighting { station, pass, .. } = sky.sightings[*index];
                Contact {
                    site: station,
                    from_ms: pass.rise_ms,
                    until_ms: pass.set_ms,
                }
            };
            requests.push(Request {
                weight: one.weight,
                contacts: way.iter().map(contact).collect(),
            });
            ways.push(way);
        }
        let site = |station: &GroundStation| Site {
            antennas: station.equipment.antennas,
            setup_ms: station.equipment.setup_ms,
            teardown_ms: station.equipment.teardown_ms,
        };
        let sites = stations.iter().map(site).collect();
        Ok(Self {
            problem: Problem::new(sites, requests)?,
            stations,
            wanted,
            sky,
            ways,
        })
    }

    /// The problem to plan.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// From the first window's begin to the last one's end.
    #[must_use]
    pub fn span_ms(&self) -> (i64, i64) {
        let from_ms = self.wanted.iter().map(|one| one.from_ms).min();
        let until_ms = self.wanted.iter().map(|one| one.until_ms).max();
        (from_ms.unwrap_or(0), until_ms.unwrap_or(1))
    }

    /// The contacts of a plan, by their rise. What names a contact that is not there is left out.
    #[must_use]
    pub fn booked(&self, plan: &Plan) -> Vec<Booked> {
        let mut booked = Vec::new();
        for (request, (got, ways)) in plan.assignments.iter().zip(&self.ways).enumerate() {
            let way = got.and_then(|got| Some((got.antenna, *ways.get(got.contact)?)));
            booked.extend(way.map(|(antenna, index)| Booked {
                request,
                sighting: self.sky.sightings[index],
                antenna,
            }));
        }
        booked.sort_by_key(|one| (one.sighting.pass.rise_ms, one.request));
        booked
    }

    /// The requests that no plan can serve, and why not.
    #[must_use]
    pub fn impossible(&self) -> Vec<(usize, String)> {
        let requests = self.problem.impossible();
        requests.map(|at| (at, self.why_impossible(at))).collect()
    }

    fn why_impossible(&self, request: usize) -> String {
        let one = &self.wanted[request];
        if !self.sky.satellites.contains(&one.satellite) {
            return format!("there are no elements of {}", one.satellite);
        }
        let seen: Vec<&Sighting> = self.seen(one).collect();
        if seen.is_empty() {
            return "no station sees it in its window".to_owned();
        }
        let inside = seen.iter().filter(|sighting| whole(one, sighting));
        let Some(best) = inside.max_by_key(|sighting| length_ms(sighting)) else {
            let at = self.places(seen.iter().map(|sighting| sighting.station));
            return format!("no pass lies whole in its window; part of one does at {at}");
        };
        format!(
            "its longest pass is {} s ({}), and it takes {} s",
            length_ms(best) / 1_000,
            self.stations[best.station].name,
            one.contact_min_ms / 1_000
        )
    }

    /// The requests that could be served and that this plan does not serve, and why not.
    #[must_use]
    pub fn unserved(&self, plan: &Plan) -> Vec<(usize, String)> {
        let open =
            |at: &usize| plan.assignments.get(*at) == Some(&None) && !self.ways[*at].is_empty();
        let requests = (0..self.wanted.len()).filter(open);
        requests.map(|at| (at, self.why_unserved(at))).collect()
    }

    fn why_unserved(&self, request: usize) -> String {
        let ways = &self.ways[request];
        let at = self.places(ways.iter().map(|&index| self.sky.sightings[index].station));
        match ways.len() {
            1 => format!("its one pass, at {at}, meets antennas that others have"),
            many => format!("its {many} passes, at {at}, meet antennas that others have"),
        }
    }

    /// The sightings of a request's satellite that reach into its window.
    fn seen<'a>(&'a self, one: &'a Wanted) -> impl Iterator<Item = &'a Sighting> {
        self.sky.sightings.iter().filter(|sighting| {
            self.sky.satellites[sighting.satellite] == one.satellite
                && sighting.pass.rise_ms < one.until_ms
                && sighting.pass.set_ms > one.from_ms
        })
    }

    fn places(&self, stations: impl Iterator<Item = usize>) -> String {
        let once: BTreeSet<usize> = stations.collect();
        let names = once.iter().map(|&at| self.stations[at].name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

fn length_ms(sighting: &Sighting) -> i64 {
    sighting.pass.set_ms - sighting.pass.rise_ms
}

/// Whether a pass lies whole in a window; one that the prediction cut is not whole.
fn whole(one: &Wanted, sighting: &Sighting) -> bool {
    let pass = &sighting.pass;
    let cut = pass.begins_before || pass.ends_after;
    !cut && pass.rise_ms >= one.from_ms && pass.set_ms <= one.until_ms
}
