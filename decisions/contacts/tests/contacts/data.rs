//! The real problems: a day of 78 satellites over 15 stations, and weeks of the Deep Space Network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use contacts::satnet::{self, Network};
use contacts::{Contact, Problem, Request, Site};

/// A file of the shared data: `$ORRERY_SHARED`, or `shared/data` beside the repository.
pub(crate) fn read(path: &str) -> String {
    // The tests of another crate, which lies less deep, read it too.
    let beside = || {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut places = above.map(|folder| folder.join("shared/data"));
        places.find(|place| place.is_dir()).unwrap_or_default()
    };
    let root = std::env::var("ORRERY_SHARED").map_or_else(|_| beside(), PathBuf::from);
    let path = root.join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; set ORRERY_SHARED", path.display()))
}

fn ms(seconds: &str) -> i64 {
    let seconds: f64 = seconds.parse().expect("a number of seconds");
    (seconds * 1_000.0).round() as i64
}

/// The requests of the day: whole passes of at least 300 s inside a slot, 60 s between two.
pub(crate) fn day(antennas: usize) -> Problem {
    let mut stations: BTreeMap<String, usize> = BTreeMap::new();
    let mut passes: BTreeMap<String, Vec<Contact>> = BTreeMap::new();
    for line in read("passes/passes_2026-05-31_el5.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let next = stations.len();
        let site = *stations.entry(cells[2].to_owned()).or_insert(next);
        let (from_ms, until_ms) = (ms(cells[4]), ms(cells[5]));
        if until_ms - from_ms >= 300_000 {
            let row = passes.entry(cells[0].to_owned()).or_default();
            row.push(Contact {
                site,
                from_ms,
                until_ms,
            });
        }
    }
    let mut requests = Vec::new();
    for line in read("passes/demand_1404_requests.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let slot = ms(cells[3])..=ms(cells[4]);
        let all = passes.get(cells[1]).into_iter().flatten().copied();
        let contacts: Vec<Contact> = all
            .filter(|pass| slot.contains(&pass.from_ms) && slot.contains(&pass.until_ms))
            .collect();
        assert_eq!(contacts.len().to_string(), cells[5], "request {}", cells[0]);
        requests.push(Request {
            weight: 1,
            contacts,
        });
    }
    let site = Site {
        antennas,
        setup_ms: 0,
        teardown_ms: 60_000,
    };
    Problem::new(vec![site; stations.len()], requests).expect("the day is a problem")
}

/// A week of the Deep Space Network by its name, such as `W20_2018`.
pub(crate) fn network(name: &str) -> Network {
    let (problems, closed) = (read("satnet/problems.json"), read("satnet/maintenance.csv"));
    satnet::read(&problems, &closed, name).expect("the week is a problem")
}
