//! Programs as SQL: the same queries as in `exact`, through the same checks, and what is refused.

use dataflow::plan::{Operator, Plan};
use serde_json::{Value, json};

use crate::exact::{CARS, time};
use crate::harness::streams;
use crate::oracle::{self, DAY, HOUR, MINUTE, SECOND, different, golden, grouped};
use crate::queries::check;

/// Rows between two checkpoints of the impulse.
const IMPULSE: u64 = 9;

/// The tables of `shared/data/streams`.
fn tables() -> String {
    let path = |name: &str| streams().join(name).display().to_string();
    let (cars, impulse) = (path("cars.json"), path("impulse.json"));
    format!(
        "CREATE TABLE cars (
           timestamp TIMESTAMP, driver_id BIGINT, event_type TEXT, location TEXT,
           WATERMARK FOR timestamp AS timestamp - INTERVAL '1 minute'
         ) WITH (connector = 'single_file', path = '{cars}', format = 'json', type = 'source');
         CREATE TABLE tight (
           timestamp TIMESTAMP, driver_id BIGINT, event_type TEXT, location TEXT
         ) WITH (connector = 'files', path = '{cars}', event_time_field = 'timestamp');
         CREATE TABLE impulse (timestamp TIMESTAMP, counter BIGINT NOT NULL)
           WITH (connector = 'files', path = '{impulse}', event_time_field = 'timestamp');
         CREATE TABLE impulse_2 (timestamp TIMESTAMP, counter BIGINT)
           WITH (connector = 'files', path = '{impulse}', event_time_field = 'timestamp',
                 watermark_delay = '10 minutes');
         "
    )
}

/// The nodes of a program but its sink, at a parallelism, stepping or not.
fn nodes(program: &str, parallelism: u32, stepping: bool) -> Vec<Value> {
    let plan = Plan::from_text(&format!("{}{program}", tables())).unwrap();
    let plan = serde_json::to_value(&plan).unwrap();
    let mut nodes = plan["nodes"].as_array().unwrap().clone();
    assert_eq!(nodes.pop().unwrap()["operator"]["kind"], "sink");
    for node in &mut nodes {
        match node["operator"]["kind"] == "source" {
            true => node["operator"]["options"]["stepping"] = json!(stepping),
            false => node["parallelism"] = json!(parallelism),
        }
    }
    nodes
}

/// The program gives these rows, also with kills and restores at other parallelisms.
fn gives(rows: u64, program: &str, expected: &[Value]) {
    check(rows, &|p, stepping| nodes(program, p, stepping), expected);
}

#[test]
fn a_projection_with_a_filter() {
    let program = "SELECT location AS place, driver_id * -2 AS x, timestamp AS at FROM cars
                   WHERE event_type = 'pickup'";
    let picked = oracle::cars()
        .into_iter()
        .filter(|car| car.kind == "pickup");
    let expected: Vec<Value> = picked
        .map(|car| json!({ "place": car.place, "x": -2 * car.driver, "at": time(car.time) }))
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn everything_as_a_sink_declares_it() {
    let program = "CREATE TABLE out (at TEXT, driver DOUBLE, kind TEXT, place TEXT)
                     WITH (connector = 'blackhole');
                   INSERT INTO out SELECT location, driver_id, event_type, location FROM cars";
    let rows = oracle::cars().into_iter();
    let expected: Vec<Value> = rows
        .map(|car| {
            let driver = car.driver as f64;
            json!({ "at": car.place, "driver": driver, "kind": car.kind, "place": car.place })
        })
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn a_union_of_two_sources() {
    let program = "SELECT counter, 'a' AS \"from\" FROM impulse
                   UNION ALL SELECT counter AS n, 'b' FROM impulse_2";
    let rows = oracle::impulse();
    let of = |from: &str| {
        let rows = rows.iter();
        let named = rows.map(|(_, n)| json!({ "counter": n, "from": from }));
        named.collect::<Vec<_>>()
    };
    gives(IMPULSE, program, &[of("a"), of("b")].concat());
}

#[test]
fn two_filters_into_one_sink_through_a_table_that_is_only_a_name() {
    let program = "CREATE TABLE few (driver_id BIGINT, location TEXT);
                   INSERT INTO few SELECT driver_id, location FROM cars WHERE driver_id < 120;
                   CREATE TABLE out (driver BIGINT) WITH (connector = 'stdout');
                   INSERT INTO out SELECT driver_id FROM few WHERE location = 'Portola';
                   INSERT INTO out SELECT driver_id FROM few
                     WHERE location IN ('Marina', 'Yerba Buena') AND NOT driver_id BETWEEN 0 AND 9";
    let rows = oracle::cars().into_iter().filter(|car| car.driver < 120);
    let expected: Vec<Value> = rows
        .filter(|car| {
            let others = ["Marina", "Yerba Buena"].contains(&car.place.as_str());
            car.place == "Portola" || (others && !(0..10).contains(&car.driver))
        })
        .map(|car| json!({ "driver": car.driver }))
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn hourly_by_event_type() {
    let program = "SELECT event_type, window.start AS hour, count FROM (
                     SELECT event_type, TUMBLE(INTERVAL '1' HOUR) AS window, count(*) AS count
                     FROM cars GROUP BY 1, 2)";
    gives(CARS, program, &golden("hourly_by_event_type"));
}

#[test]
fn tight_watermark() {
    let program = "CREATE VIEW hours AS
                     SELECT TUMBLE(INTERVAL '1 hour') AS w, count(*) AS count FROM tight GROUP BY w;
                   SELECT w.end AS timestamp, count FROM hours";
    gives(CARS, program, &golden("tight_watermark"));
}

#[test]
fn sliding_window_end() {
    let program = "SELECT count(*) AS count, min(counter) AS min, max(counter) AS max,
                     window.start AS start, window.end AS end
                   FROM impulse
                   GROUP BY HOP(INTERVAL '2 seconds', INTERVAL '10 seconds') AS window";
    // A name within GROUP BY is not SQL; the window is named in SELECT.
    let error = Plan::from_text(&format!("{}{program}", tables())).unwrap_err();
    assert!(error.to_string().contains("line "), "{error}");
    let program = "SELECT count, min, max, window.start AS start, window.end AS \"end\" FROM (
                     SELECT HOP(INTERVAL '2 seconds', INTERVAL '10 seconds') AS window,
                       count(*) AS count, min(counter) AS min, max(counter) AS max
                     FROM impulse GROUP BY window)";
    gives(IMPULSE, program, &golden("sliding_window_end"));
}

#[test]
fn global_session_window() {
    let program = "WITH sessions AS (
                     SELECT SESSION(INTERVAL '20 seconds') AS s, count(*) AS n FROM impulse
                     GROUP BY s)
                   SELECT s.start AS start, s.end AS \"end\", n AS rows FROM sessions";
    gives(IMPULSE, program, &golden("global_session_window"));
}

#[test]
fn windowed_inner_join() {
    let program = "SELECT d.window.start AS hour, d.drivers, p.drivers AS pickups FROM (
                     SELECT TUMBLE(INTERVAL '1 hour') AS window,
                       count(DISTINCT driver_id) AS drivers
                     FROM cars WHERE event_type = 'dropoff' GROUP BY window) AS d
                   JOIN (
                     SELECT TUMBLE(INTERVAL '1 hour') AS window,
                       count(DISTINCT driver_id) AS drivers
                     FROM cars WHERE event_type = 'pickup' GROUP BY window) AS p
                   ON d.window = p.window";
    gives(CARS, program, &golden("windowed_inner_join"));
}

#[test]
fn a_right_join_keeps_the_rows_of_the_right() {
    let program = "SELECT p.w.start AS hour, coalesce(d.n, 0) AS n FROM
                     (SELECT TUMBLE(INTERVAL '1 hour') AS w, count(*) AS n FROM cars
                        WHERE location = 'Portola' GROUP BY w) d
                   RIGHT JOIN
                     (SELECT TUMBLE(INTERVAL '1 hour') AS w, count(*) AS n FROM cars GROUP BY w) p
                   ON p.w = d.w";
    let rows = oracle::cars().into_iter();
    let hours = grouped(rows.map(|car| (car.time - car.time % HOUR, car.place == "Portola")));
    let expected: Vec<Value> = hours
        .iter()
        .map(|(hour, rows)| {
            let there = rows.iter().filter(|is| **is).count();
            json!({ "hour": time(*hour), "n": there })
        })
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn thirty_days_with_every_aggregate_a_filter_and_having() {
    let program = "SELECT count(*) AS n, sum(driver_id) AS sum, min(driver_id) AS least,
                     max(driver_id) AS most, avg(driver_id) AS mean,
                     count(*) FILTER (WHERE event_type = 'pickup') AS pickups,
                     max(driver_id) - min(driver_id) AS range
                   FROM cars GROUP BY TUMBLE(INTERVAL '30 days') HAVING count(*) > 10";
    let cars = oracle::cars();
    let window = |time: i64| time - time % (30 * DAY);
    let groups = grouped(cars.iter().map(|car| (window(car.time), car)));
    let expected: Vec<Value> = groups
        .values()
        .map(|cars| {
            let drivers: Vec<i64> = cars.iter().map(|car| car.driver).collect();
            let (sum, n) = (drivers.iter().sum::<i64>(), drivers.len());
            let (least, most) = (drivers.iter().min().unwrap(), drivers.iter().max().unwrap());
            let pickups = cars.iter().filter(|car| car.kind == "pickup").count();
            json!({
                "n": n, "sum": sum, "least": least, "most": most, "mean": sum as f64 / n as f64,
                "pickups": pickups, "range": most - least,
            })
        })
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn the_most_active_driver_of_each_window() {
    let program = "SELECT driver_id, n, w.start AS start FROM (
                     SELECT *, ROW_NUMBER() OVER (
                       PARTITION BY w ORDER BY n DESC, driver_id) AS place
                     FROM (SELECT driver_id, count(*) AS n,
                             HOP(INTERVAL '10 minutes', INTERVAL '1 hour') AS w
                           FROM cars GROUP BY driver_id, w))
                   WHERE place <= 1";
    let most_active = oracle::most_active(10 * MINUTE, HOUR).into_iter();
    let expected: Vec<Value> = most_active
        .map(|(start, driver, n)| json!({ "driver_id": driver, "start": time(start), "n": n }))
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn a_window_over_the_windows_of_another() {
    let program = "SELECT max(n) AS most, w.start AS start FROM (
                     SELECT event_type, TUMBLE(INTERVAL '1 hour') AS w, count(*) AS n
                     FROM cars GROUP BY event_type, w)
                   GROUP BY w";
    let rows = oracle::cars().into_iter();
    let counts = grouped(rows.map(|car| ((car.time - car.time % HOUR, car.kind), ())));
    let counts = grouped(
        counts
            .into_iter()
            .map(|((hour, _), rows)| (hour, rows.len())),
    );
    let expected: Vec<Value> = counts
        .iter()
        .map(|(hour, counts)| json!({ "most": counts.iter().max(), "start": time(*hour) }))
        .collect();
    gives(CARS, program, &expected);
}

#[test]
fn keys_that_are_computed_and_sessions() {
    let program = "SELECT CASE WHEN counter % 2 = 0 THEN 'even' ELSE 'odd' END AS parity,
                     count(DISTINCT counter) AS n, date_trunc('minute', max(timestamp)) AS last
                   FROM impulse
                   GROUP BY CASE WHEN counter % 2 = 0 THEN 'even' ELSE 'odd' END,
                     SESSION(INTERVAL '1 second')";
    let rows = oracle::impulse();
    let of = |parity: i64| rows.iter().filter(move |(_, n)| n % 2 == parity);
    let expected: Vec<Value> = [(0, "even"), (1, "odd")]
        .iter()
        .map(|(parity, name)| {
            let numbers: Vec<i64> = of(*parity).map(|(_, n)| *n).collect();
            let last = of(*parity).map(|(at, _)| *at).max().unwrap();
            let last = last - last % (60 * SECOND);
            json!({ "parity": name, "n": different(&numbers), "last": time(last) })
        })
        .collect();
    gives(IMPULSE, program, &expected);
}

/// The event time and the delay of each source of a program.
fn event_times(program: &str) -> Vec<(String, Option<String>, i64)> {
    let plan = Plan::from_text(program).unwrap();
    let sources = plan.nodes.iter().filter_map(|node| match &node.operator {
        Operator::Source(source) => Some((node.id.clone(), source)),
        _ => None,
    });
    sources
        .map(|(id, source)| (id, source.event_time.clone(), source.delay))
        .collect()
}

#[test]
fn a_watermark_is_that_of_its_own_table_wherever_it_stands_there() {
    let table = |name: &str, columns: &str| {
        format!("CREATE TABLE {name} ({columns}) WITH (connector = 'files', path = '/x');\n")
    };
    let delayed = "WATERMARK FOR at AS (at - INTERVAL '2 seconds')";
    let program = [
        table("first", &format!("{delayed}, at TIMESTAMP, n BIGINT")),
        table("between", &format!("at TIMESTAMP, {delayed}, n BIGINT")),
        table("none", "at TIMESTAMP, n BIGINT"),
        table("last", "n BIGINT, at TIMESTAMP, WATERMARK FOR at"),
        "SELECT n FROM first UNION ALL SELECT n FROM between UNION ALL SELECT n FROM none \
         UNION ALL SELECT n FROM last"
            .to_owned(),
    ];
    let at = || Some("at".to_owned());
    let expected = [
        ("first", at(), 2 * SECOND),
        ("between", at(), 2 * SECOND),
        ("none", None, 0),
        ("last", at(), 0),
    ];
    let expected = expected.map(|(id, time, delay)| (id.to_owned(), time, delay));
    assert_eq!(event_times(&program.concat()), expected);
}

#[test]
fn a_column_may_be_called_watermark() {
    let program = "CREATE TABLE t (watermark BIGINT) WITH (connector = 'files', path = '/x');
                   SELECT watermark FROM t";
    assert_eq!(event_times(program), [("t".to_owned(), None, 0)]);
}

/// The indented block of `docs/pipelines.md` that begins with this line.
fn documented(first: &str) -> String {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pipelines.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let lines = docs
        .lines()
        .skip_while(|line| !line.trim_start().starts_with(first));
    let block: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).collect();
    assert!(!block.is_empty(), "no block begins with {first}");
    block.join("\n")
}

#[test]
fn the_programs_of_the_manual_can_be_planned() {
    let sql = Plan::from_text(&documented("-- clicks.sql")).unwrap();
    let json = Plan::from_text(&documented("{ \"nodes\"")).unwrap();
    for plan in [sql, json] {
        let last = plan.nodes.last().unwrap();
        assert!(matches!(last.operator, Operator::Sink { .. }), "{last:?}");
    }
}

/// What is refused, where, and what is said.
#[test]
fn what_cannot_be_planned_is_refused_with_its_place_and_a_suggestion() {
    let cases = [
        ("SELEC 1", (1, 1), "Expected"),
        (
            "SELECT driver_id\nFROM cras",
            (2, 6),
            "did you mean `cars`?",
        ),
        (
            "SELECT driver_id,\n  locaton FROM cars",
            (2, 3),
            "did you mean `location`?",
        ),
        (
            "SELECT driver_id + location FROM cars",
            (1, 8),
            "BIGINT and TEXT",
        ),
        (
            "SELECT * FROM cars WHERE driver_id",
            (1, 26),
            "has to be BOOLEAN",
        ),
        ("SELECT count(*) FROM cars", (1, 1), "need a window"),
        (
            "SELECT count(*) FROM cars GROUP BY location",
            (1, 1),
            "TUMBLE(INTERVAL",
        ),
        (
            "SELECT count(*) FROM cars GROUP BY TUMBLE(1)",
            (1, 43),
            "INTERVAL '1 minute'",
        ),
        (
            "SELECT count(*) FROM cars GROUP BY HOP(INTERVAL '7 seconds', INTERVAL '1 minute')",
            (1, 36),
            "no multiple of the slide",
        ),
        (
            "SELECT * FROM cars ORDER BY driver_id",
            (1, 29),
            "a stream has no order",
        ),
        ("SELECT DISTINCT driver_id FROM cars", (1, 1), "group by"),
        (
            "SELECT * FROM cars a JOIN cars b ON a.driver_id = b.driver_id",
            (1, 27),
            "by a window",
        ),
        (
            "SELECT soundex(location) FROM cars",
            (1, 8),
            "there is no function `soundex`",
        ),
        (
            "INSERT INTO cars_out SELECT * FROM cars",
            (1, 13),
            "there is no table",
        ),
        (
            "CREATE TABLE t (a BIGINT) WITH (connector = 'kafka'); SELECT * FROM t",
            (1, 45),
            "'log'",
        ),
        (
            "CREATE TABLE t (a GEOMETRY) WITH (connector = 'stdout')",
            (1, 17),
            "no type",
        ),
        (
            "CREATE TABLE t (a BIGINT) WITH (connector = 'files', path = '/x', pth = '/y')",
            (1, 73),
            "no option `pth`",
        ),
        (
            "CREATE VIEW a AS SELECT * FROM a; SELECT * FROM a",
            (1, 32),
            "reads itself",
        ),
        (
            "CREATE VIEW nothing AS SELECT * FROM cars",
            (1, 1),
            "computes nothing",
        ),
        ("SELECT 'open", (1, 8), "nterminated"),
    ];
    // The tables stand on one line before each program.
    let tables = tables().replace('\n', " ");
    for (program, (line, column), says) in cases {
        let error = dataflow::sql::plan(&format!("{tables}\n{program}")).unwrap_err();
        let place = (error.line - 1, error.column);
        let text = error.to_string();
        assert!(text.contains(says), "{program}\n{text}");
        if error.what != "the program computes nothing" {
            assert_eq!(place, (line, column), "{program}\n{text}");
        }
    }
}

#[test]
fn a_program_of_any_depth_is_planned_or_refused_and_never_more() {
    let refuses = |program: String, says: &str| {
        let error = Plan::from_text(&format!("{}{program}", tables())).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    };
    let (open, close) = ("(".repeat(1_500), ")".repeat(1_500));
    refuses(format!("SELECT {open}1{close} FROM cars"), "recursion");
    let sum = |count: usize| vec!["driver_id"; count].join(" + ");
    refuses(
        format!("SELECT {} AS n FROM cars", sum(3_900)),
        "nested too deeply",
    );
    refuses(
        format!("SELECT {} AS n FROM cars", sum(50_000)),
        "more than 4000 operators",
    );
    let unions = vec!["SELECT driver_id FROM cars"; 1_500].join(" UNION ALL ");
    let _ = Plan::from_text(&format!("{}{unions}", tables()));
    // What people write is planned, and comes back from JSON as it was.
    let many: Vec<String> = (0..1_000).map(|n| format!("driver_id = {n}")).collect();
    let program = format!(
        "SELECT {} AS n FROM cars WHERE {} AND driver_id IN ({})",
        sum(40),
        many.join(" OR "),
        (0..1_000)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(", "),
    );
    let plan = Plan::from_text(&format!("{}{program}", tables())).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(Plan::from_json(&json).unwrap(), plan);
}
