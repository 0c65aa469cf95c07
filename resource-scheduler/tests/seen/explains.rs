//! Why something finds no place, in the words that an operator reads: each case names the least
//! that would help, in the list of what waits, in `explain` and in `plan`.

use crate::harness::{Fleet, wish};

const QUOTAS: &str = "ORRERY_RESOURCE_SCHEDULER_QUOTAS = \"web/instances=0\"";

const APART: &str = "requirements = [{ key = \"antenna\", operator = \"exists\" }, \
                     { key = \"band\", operator = \"equals\", value = \"x\" }]\n\
                     tolerations = [{ key = \"dedicated\" }]\n\
                     affinities = [{ group = \"full\", within = \"node\", wish = \"apart\", \
                     strength = \"hard\" }]";

/// One reason to find no place: what the spec says, and the least that would help.
struct Case {
    name: &'static str,
    millicores: u64,
    says: &'static str,
    least: &'static str,
}

/// What `station` alone has; `plain` would need both labels.
const STATION: &str = "requirements = [{ key = \"antenna\", operator = \"exists\" }, \
                       { key = \"band\", operator = \"equals\", value = \"x\" }]\n\
                       tolerations = [{ key = \"dedicated\" }]";

/// On machines `plain` (4000 millicores, of which 3400 may be used, and 100 are) and `station`,
/// which is tainted and has 340 millicores left. What is too small for anything is the machine of
/// the control plane itself.
const CASES: [Case; 8] = [
    Case {
        name: "big",
        millicores: 5_000,
        says: "",
        least: "on plain: ask for 1700 millicores of cpu less",
    },
    Case {
        name: "label",
        millicores: 100,
        says: "requirements = [{ key = \"disk\", operator = \"equals\", value = \"ssd\" }]",
        least: "on plain: set label \"disk\" so that it is \"ssd\"",
    },
    Case {
        name: "taint",
        millicores: 100,
        says: "requirements = [{ key = \"antenna\", operator = \"exists\" }]",
        least: "on station: tolerate taint dedicated=\"passes\"",
    },
    Case {
        name: "apart",
        millicores: 100,
        says: APART,
        least: "on station: move 1 of \"full\" away",
    },
    Case {
        name: "port",
        millicores: 100,
        says: "ports = [7070]\nrequirements = [{ key = \"kind\", operator = \
               \"equals\", value = \"plain\" }]",
        least: "on plain: free port 7070, which holder.0.1 has",
    },
    Case {
        name: "license",
        millicores: 100,
        says: "license = 2\ntolerations = [{ key = \"dedicated\" }]",
        least: "on plain: raise the machine's licence by 2",
    },
    Case {
        name: "quota",
        millicores: 100,
        says: "tenant = \"web\"\nrequirements = [{ key = \"kind\", operator = \"equals\", \
               value = \"plain\" }]",
        least: "on plain: raise the quota of web by 1 instances",
    },
    Case {
        name: "room",
        millicores: 500,
        says: STATION,
        least: "on station: free 160 millicores of cpu",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_explain_and_plan_name_the_least_that_would_help() {
    let fleet = Fleet::start_with(1, QUOTAS).await;
    let says = [("cpu", "4000"), ("kind", "plain")];
    let _plain = fleet.machine("plain", &says).await;
    fleet.apply(&wish("holder", 1, 100, "ports = [7070]")).await;
    fleet.placed("holder", 1).await;
    let says = [
        ("cpu", "4000"),
        ("antenna", "dish"),
        ("band", "x"),
        ("taint.dedicated", "passes"),
    ];
    let _station = fleet.machine("station", &says).await;
    fleet.apply(&wish("full", 1, 3_060, STATION)).await;
    fleet.placed("full", 1).await;
    for case in CASES {
        let spec = wish(case.name, 1, case.millicores, case.says);
        let file = fleet.file(&format!("{}.toml", case.name), &spec);
        let planned = fleet.operator().says(&["plan", &file, "-o", "json"]);
        assert!(planned.contains(&case.quoted()), "{}: {planned}", case.name);
        fleet.apply(&spec).await;
        let why = fleet.waits(case.name, case.least).await;
        assert!(why.contains("no machine of 3 takes it"), "{why}");
        let explained = fleet.operator().says(&["explain", case.name]);
        assert!(explained.contains(case.least), "{explained}");
    }
    // Each machine says all that it minds.
    let explained = fleet.operator().says(&["explain", "license", "-o", "json"]);
    let explained: serde_json::Value = serde_json::from_str(&explained).unwrap();
    let machines = explained["placement"]["machines"].as_array().unwrap();
    let minds = |machine: &serde_json::Value| {
        let checks = machine["checks"].as_array().unwrap();
        let refused = checks.iter().filter(|check| check["holds"] == false);
        let rules = refused.map(|check| check["rule"].as_str().unwrap().to_owned());
        (
            machine["node"].as_str().unwrap().to_owned(),
            rules.collect(),
        )
    };
    let minds: Vec<(String, Vec<String>)> = machines.iter().map(minds).collect();
    let expected = [("plain", vec!["license"]), ("station", vec!["license"])];
    let owned = |(node, rules): &(&str, Vec<&str>)| {
        (
            node.to_string(),
            rules.iter().map(ToString::to_string).collect(),
        )
    };
    let expected: Vec<(String, Vec<String>)> = expected.iter().map(owned).collect();
    assert_eq!(minds[..2], expected);
    let own: Vec<&str> = minds[2].1.iter().map(String::as_str).collect();
    assert_eq!(own, ["license", "capacity"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_place_can_be_asked_how_much_room_every_machine_has_for_it() {
    let fleet = Fleet::start(1).await;
    let _one = fleet.machine("one", &[("cpu", "1000")]).await;
    let _two = fleet.machine("two", &[("cpu", "4000")]).await;
    fleet.apply(&wish("echo", 1, 500, "")).await;
    fleet.placed("echo", 1).await;
    let explained = fleet
        .operator()
        .says(&["explain", "echo.0.1", "--machines", "2"]);
    // It is not in its own way: on its own machine there is room as if it were not there.
    for (node, left) in [
        ("one", "350 millicores of cpu left"),
        ("two", "2900 millicores"),
    ] {
        let line = explained.lines().find(|line| line.starts_with(node));
        assert!(line.is_some_and(|line| line.contains(left)), "{explained}");
    }
    let plain = fleet.operator().says(&["explain", "echo.0.1"]);
    assert!(!plain.contains("MACHINE"), "{plain}");
}

impl Case {
    /// As it stands within JSON.
    fn quoted(&self) -> String {
        self.least.replace('"', "\\\"")
    }
}
