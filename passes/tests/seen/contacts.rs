//! From a plan of contacts to jobs that run at their stations.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use chassis::testing::Operator;
use passes::{JobPhase, ListArgs};

use crate::harness::Fleet;

/// Elements of two satellites, and requests for passes in the next hours.
const TLE: &str = "\
SENTINEL-1A
1 39634U 14016A   26150.47036097  .00000381  00000+0  90579-4 0  9992
2 39634  98.1777 158.2615 0001428  85.1010 275.0353 14.59201332647433
SENTINEL-2A
1 40697U 15028A   26150.59231876  .00000540  00000+0  22277-3 0  9998
2 40697  98.5691 225.6931 0001116  89.9845 270.1466 14.30819576571212
";
const STATIONS: &str = "\
station,region,lat_deg,lon_deg,alt_m,antennas
Svalbard,arctic,78.23,15.41,0,1
Troll,antarctic,-72.0,2.53,0,1
";
const REQUESTS: &str = "\
request_id,satellite,window_start_s,window_end_s
a1,SENTINEL-1A,600,14400
a2,SENTINEL-2A,600,14400
a3,SENTINEL-1A,14400,28800
a4,SENTINEL-2A,14400,28800
";

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// This minute, as the command line reads moments.
fn now() -> String {
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%MZ"])
        .output()
        .unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_becomes_jobs_at_its_stations_and_to_submit_it_again_is_to_submit_it_once() {
    let fleet = Fleet::start(1).await;
    let _arctic = fleet.agent("arctic", 8, "station=svalbard").await;
    let _antarctic = fleet.agent("antarctic", 8, "station=troll").await;
    let dir = fleet.dir.path();
    let (tle, stations) = (write(dir, "tle", TLE), write(dir, "stations.csv", STATIONS));
    let (requests, from) = (write(dir, "requests.csv", REQUESTS), now());
    let seen = dir.join("seen");
    fs::create_dir(&seen).unwrap();
    let script = format!("env | grep ^ORRERY_ > {}/$ORRERY_JOB.$$", seen.display());
    let plan = [
        "passes",
        "plan",
        "--tle",
        &tle,
        "--stations",
        &stations,
        "--requests",
        &requests,
        "--from",
        &from,
        "--steps",
        "1000",
        "--submit",
        "--",
        "sh",
        "-c",
        &script,
    ];
    let operator = Operator::of(fleet.discovery);
    let said = operator.says(&plan);
    assert!(
        said.contains("4 jobs: 4 accepted, 0 refused, 0 too late"),
        "{said}"
    );
    let list = || async {
        fleet
            .passes()
            .list(&ListArgs::default())
            .await
            .unwrap()
            .jobs
    };
    fleet
        .until("all jobs are done", async || {
            list().await.iter().all(|job| job.phase == JobPhase::Done)
        })
        .await;
    let again = operator.says(&plan);
    assert!(again.contains("4 accepted"), "{again}");
    let jobs = list().await;
    assert_eq!(jobs.len(), 4, "{again}");

    // Each ran once, on the node of its station, and was told of its pass.
    let mut told: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
    for file in fs::read_dir(&seen).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let told_one: BTreeMap<String, String> = lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let job = told_one["ORRERY_JOB"].parse().unwrap();
        assert!(told.insert(job, told_one).is_none(), "job {job} ran twice");
    }
    assert_eq!(told.len(), 4);
    for job in &jobs {
        let told = &told[&job.id];
        let node = match told["ORRERY_STATION"].as_str() {
            "Svalbard" => "arctic",
            "Troll" => "antarctic",
            other => panic!("nobody planned {other}"),
        };
        assert_eq!(job.node.as_deref(), Some(node), "{job:#?}");
        let at = |name: &str| told[name].parse::<u64>().unwrap();
        let (rise, set) = (at("ORRERY_RISE_MS"), at("ORRERY_SET_MS"));
        assert_eq!(job.spec.estimated_runtime_ms, set - rise);
        assert!(set < job.spec.deadline_ms, "{job:#?}");
    }
}
