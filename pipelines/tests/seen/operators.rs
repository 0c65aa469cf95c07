//! What an operator does with `orrery pipelines`.

use std::net::SocketAddr;
use std::time::Instant;

use chassis::testing::{self, PATIENCE, Process, Start, workspace_binary};

use crate::harness::World;
use crate::plans::{append, check_exactly_once, copy, numbers, shown, until_shown};

struct Operator {
    terminal: testing::Operator,
    _discovery: Process,
    world: World,
}

impl Operator {
    fn new() -> Self {
        let discovery = Start::binary(&workspace_binary("discovery")).ready();
        let address: SocketAddr = discovery.address();
        let world = World::with(&[&format!("--discovery={address}")]);
        Self {
            terminal: testing::Operator::of(address),
            _discovery: discovery,
            world,
        }
    }

    fn says(&self, args: &[&str]) -> String {
        self.terminal.says(&[&["pipelines"], args].concat())
    }

    fn refuses(&self, args: &[&str]) -> String {
        self.terminal.refuses(&[&["pipelines"], args].concat())
    }

    /// Writes a plan; its path.
    fn plan(&self, plan: &dataflow::plan::Plan) -> String {
        let path = self.world.path("plan.json");
        std::fs::write(&path, serde_json::to_string_pretty(plan).unwrap()).unwrap();
        path.display().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_submits_rescales_stops_and_restarts_a_job_and_no_row_is_lost_or_doubled() {
    let operator = Operator::new();
    let (input, output) = (operator.world.path("in"), operator.world.path("out"));
    let plan = operator.plan(&copy(&input, &output));
    let begun = [
        "submit",
        "copy",
        &plan,
        "--wait",
        "--checkpoint-every",
        "100ms",
    ];
    let submitted = operator.says(&begun);
    assert!(submitted.starts_with("copy: running"), "{submitted}");
    append(&input, 0..1_000);
    // The same again changes nothing; another plan under the name is refused.
    operator.says(&begun);
    let other = operator.plan(&copy(&input, &operator.world.path("elsewhere")));
    operator.refuses(&["submit", "copy", &other]);

    let rescaled = operator.says(&["rescale", "copy", "*=2", "--wait"]);
    assert!(rescaled.starts_with("copy: running"), "{rescaled}");
    append(&input, 1_000..1_500);
    let shown = operator.says(&["show", "copy", "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let stages = shown["parallelism"].as_object().unwrap();
    assert!(stages.values().all(|subtasks| *subtasks == 2), "{shown}");
    let listed = operator.says(&["list"]);
    assert!(listed.contains("copy  running"), "{listed}");

    let stopped = operator.says(&["stop", "copy", "--wait"]);
    assert!(
        stopped.starts_with("copy: stopped, checkpoint "),
        "{stopped}"
    );
    let checkpoints = operator.says(&["checkpoints", "copy"]);
    assert!(checkpoints.contains("ready"), "{checkpoints}");
    append(&input, 1_500..2_000);
    let restarted = operator.says(&["restart", "copy", "--wait"]);
    assert!(
        restarted.starts_with("copy: running, checkpoint "),
        "{restarted}"
    );
    until_shown("all rows", || numbers(&output).len() == 2_000).await;
    check_exactly_once(&output, 2_000);

    let log = operator.says(&["logs", "copy"]);
    assert!(log.contains("Scheduling -> Running"), "{log}");
    let why = operator.says(&["why", "copy"]);
    assert!(!why.trim().is_empty());
    operator.says(&["stop", "copy", "--mode", "force", "--wait"]);
    operator.says(&["delete", "copy", "--yes"]);
    let unknown = operator.refuses(&["show", "copy"]);
    assert!(
        unknown.contains("copy") && unknown.contains("error:"),
        "{unknown}"
    );
}

#[test]
fn what_cannot_be_submitted_is_refused_with_what_is_wrong_and_the_first_step_is_taught() {
    let operator = Operator::new();
    let missing = operator.refuses(&["submit", "copy", "/nowhere/plan.json"]);
    assert!(
        missing.contains("failed to read /nowhere/plan.json"),
        "{missing}"
    );
    let wrong = operator.world.path("wrong.json");
    std::fs::write(&wrong, "{\"nodes\": [{\"id\": 1}]}").unwrap();
    let wrong = wrong.display().to_string();
    let refused = operator.refuses(&["submit", "copy", &wrong]);
    assert!(refused.contains("line 1"), "{refused}");
    let program = "CREATE TABLE t (n BIGINT) WITH (connector = 'impulse');\nSELECT m FROM t";
    std::fs::write(&wrong, program).unwrap();
    let refused = operator.refuses(&["submit", "copy", &wrong]);
    assert!(
        refused.contains("line 2, column 8: there is no column `m`"),
        "{refused}"
    );
    let refused = operator.refuses(&["rescale", "copy", "four"]);
    assert!(refused.contains("STAGE=4"), "{refused}");
    let listed = operator.says(&["list"]);
    assert!(
        listed.contains("orrery pipelines submit NAME PROGRAM.sql"),
        "{listed}"
    );
}

#[test]
fn a_program_in_sql_is_submitted_and_finishes_with_its_rows() {
    let operator = Operator::new();
    let output = operator.world.path("out");
    let program = format!(
        "CREATE TABLE numbers (counter BIGINT)
           WITH (connector = 'impulse', message_count = 1000, step = '1 ms');
         CREATE TABLE out (n BIGINT, seconds BIGINT)
           WITH (connector = 'files', type = 'sink', path = '{}');
         INSERT INTO out
           SELECT n, 1 FROM (
             SELECT TUMBLE(INTERVAL '1 second') AS w, count(*) AS n FROM numbers GROUP BY w);",
        output.display()
    );
    let file = operator.world.path("count.sql");
    std::fs::write(&file, program).unwrap();
    operator.says(&["submit", "count", &file.display().to_string()]);
    let deadline = Instant::now() + PATIENCE;
    while !operator.says(&["list"]).contains("finished") {
        assert!(
            Instant::now() < deadline,
            "{}",
            operator.says(&["why", "count"])
        );
    }
    let rows = shown(&output);
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    assert_eq!(rows, ["{\"n\":1000,\"seconds\":1}"]);
}
