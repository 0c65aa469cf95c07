//! What an operator does with `orrery config`, and with `orrery state`.

use chassis::testing::{Operator, Process, Start, workspace_binary};
use store::{EmbeddedStore, Options, Store as _};
use tempfile::TempDir;

use crate::common::{client, declare, integer};

struct Fleet {
    operator: Operator,
    _discovery: Process,
    configuration: Process,
    folder: TempDir,
}

fn fleet() -> Fleet {
    let folder = tempfile::tempdir().unwrap();
    let discovery = Start::binary(&workspace_binary("discovery")).ready();
    let configuration = Start::binary(env!("CARGO_BIN_EXE_configuration"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_DISCOVERY", discovery.address())
        .ready();
    Fleet {
        operator: Operator::of(discovery.address()),
        _discovery: discovery,
        configuration,
        folder,
    }
}

/// A fleet in which `greeter/guests` is a number from 1 to 9, and 3 unless it is set.
async fn fleet_with_guests() -> Fleet {
    let fleet = fleet();
    let declared = declare("greeter", vec![integer("guests", 1, 9, "3")]);
    client(&fleet.configuration)
        .declare(&declared)
        .await
        .unwrap();
    fleet
}

/// The row of a table whose first column says this.
fn row<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.first() == Some(&first));
    rows.next()
        .unwrap_or_else(|| panic!("no {first} in\n{table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sets_looks_at_and_takes_back_a_value_from_the_command_line() {
    let fleet = fleet_with_guests().await;
    let keys = fleet.operator.says(&["config", "keys", "greeter"]);
    assert!(keys.contains("a whole number from 1 to 9"), "{keys}");
    assert_eq!(
        fleet.operator.says(&["config", "get", "greeter/guests"]),
        "3\n"
    );

    let set = fleet
        .operator
        .says(&["config", "set", "greeter/guests", "5"]);
    assert!(set.starts_with("greeter/guests: revision "), "{set}");
    assert_eq!(
        fleet.operator.says(&["config", "get", "greeter/guests"]),
        "5\n"
    );
    assert_eq!(
        row(&fleet.operator.says(&["config", "list"]), "greeter/guests")[1],
        "5"
    );

    // What does not fit, is not declared, or is not as it was read, is refused and changes nothing.
    let refused = fleet
        .operator
        .refuses(&["config", "set", "greeter/guests", "10"]);
    assert!(refused.contains("from 1 to 9"), "{refused}");
    let refused = fleet
        .operator
        .refuses(&["config", "set", "greeter/gests", "4"]);
    assert!(refused.contains("hint:"), "{refused}");
    fleet.operator.refuses(&[
        "config",
        "set",
        "greeter/guests",
        "6",
        "--if-revision",
        "1000",
    ]);
    fleet
        .operator
        .refuses(&["config", "set", "greeter/guests", "6", "--if-absent"]);
    assert_eq!(
        fleet.operator.says(&["config", "get", "greeter/guests"]),
        "5\n"
    );

    fleet
        .operator
        .says(&["config", "set", "greeter/guests", "7"]);
    fleet.operator.says(&["config", "unset", "greeter/guests"]);
    assert_eq!(
        fleet.operator.says(&["config", "get", "greeter/guests"]),
        "3\n"
    );
    fleet
        .operator
        .says(&["config", "rollback", "greeter/guests", "--to", "1"]);
    assert_eq!(
        fleet.operator.says(&["config", "get", "greeter/guests"]),
        "5\n"
    );
    let history = fleet
        .operator
        .says(&["config", "history", "greeter/guests"]);
    assert_eq!(row(&history, "4")[1..5], ["5", "(as", "in", "1)"]);
    assert_eq!(row(&history, "3")[1..3], ["taken", "away"]);
    assert_eq!(row(&history, "2")[1], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_what_is_set_and_ends_when_its_time_is_up() {
    let fleet = fleet();
    fleet
        .operator
        .says(&["config", "set", "any/thing", "a value with spaces"]);
    let watched = ["config", "watch", "any/", "--timeout", "500ms"];
    let (_, seen) = fleet.operator.run(&watched);
    assert!(
        seen.starts_with("any/thing = a value with spaces\n"),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configuration_the_command_line_says_who_is_missing() {
    let mut fleet = fleet();
    fleet.configuration.kill();
    let refused = fleet
        .operator
        .refuses(&["config", "list", "--timeout", "2s"]);
    assert!(refused.contains("error:"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_while_it_ran_is_checked_and_brought_back_to_another_directory() {
    let fleet = fleet_with_guests().await;
    let operator = &fleet.operator;
    operator.says(&["config", "set", "greeter/guests", "7"]);
    let path = |name: &str| fleet.folder.path().join(name).display().to_string();
    let (data, backup) = (path("data"), path("backup"));
    std::fs::create_dir(&data).unwrap();
    std::fs::rename(path("configuration"), format!("{data}/configuration")).unwrap();
    std::fs::write(format!("{data}/fleet.key"), "a key").unwrap();
    // Where scheduling has its own, which is one directory further down.
    let open = |data: &str| {
        EmbeddedStore::open(format!("{data}/scheduling/store"), Options::default()).unwrap()
    };
    let store = open(&data);
    store.put("spec/echo", "wished").await.unwrap();

    let made = operator.says(&["state", "backup", &backup, "--data", &data]);
    assert_eq!(row(&made, "configuration")[4], "whole", "{made}");
    let (well, again) = operator.run(&["state", "backup", &backup, "--data", &data]);
    assert!(!well && again.contains("File exists"), "{again}");
    operator.says(&["config", "set", "greeter/guests", "8"]);
    let live = operator.says(&["state", "verify", "--data", &data]);
    assert_eq!(row(&live, "configuration")[4], "whole", "{live}");

    let restored = path("restored");
    operator.says(&["state", "restore", &backup, "--data", &restored]);
    let key = std::fs::read_to_string(format!("{restored}/fleet.key")).unwrap();
    assert_eq!(key, "a key");
    let store = open(&restored).get(b"spec/echo").await.unwrap();
    assert_eq!(store.unwrap().value, "wished");
    let (well, again) = operator.run(&["state", "restore", &backup, "--data", &restored]);
    assert!(!well && again.contains("is there already"), "{again}");
    let service = Start::binary(env!("CARGO_BIN_EXE_configuration"))
        .env("ORRERY_DATA", &restored)
        .ready();
    let values = client(&service).everything("greeter/").await.unwrap();
    let found = values.iter().find(|value| value.key == "greeter/guests");
    assert_eq!(found.unwrap().value, "7", "as it was when it was backed up");

    let file = format!("{backup}/configuration.backup");
    let mut bytes = std::fs::read(&file).unwrap();
    // Every page but the first, so that it does not only hit what is free.
    for byte in bytes.iter_mut().skip(4_096) {
        *byte ^= 0x5a;
    }
    std::fs::write(&file, bytes).unwrap();
    let (well, said) = operator.run(&["state", "verify", &backup]);
    assert!(!well && said.contains("not whole: configuration"), "{said}");
    let nowhere = path("nowhere");
    let (well, said) = operator.run(&["state", "restore", &backup, "--data", &nowhere]);
    assert!(!well && said.contains("not whole"), "{said}");
    assert!(!std::path::Path::new(&nowhere).exists(), "nothing of it");
}
