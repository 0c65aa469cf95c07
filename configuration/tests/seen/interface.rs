//! Values, comparisons, history, declarations.

use configuration::limits::{HISTORY_MAX, VALUE_BYTES_MAX};
use configuration::{
    Compare, DeleteArgs, GetArgs, HistoryArgs, ListArgs, RollbackArgs, SYSTEM_ADDRESS, SYSTEM_NAME,
    SchemaArgs, SetArgs, reason,
};
use rpc::Code;

use crate::common::{check_refused, client, declare, house, integer, set, start};

fn get(key: &str) -> GetArgs {
    GetArgs {
        key: key.to_owned(),
    }
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_configuration");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn what_is_set_is_there_also_after_a_restart() {
    let (mut house, client) = house();
    let set_ = client.set(&set("web/colour", "blue")).await.unwrap();
    assert_eq!(set_.number, 1);
    house.process.kill();
    house.process = start(&house.folder);
    let client = crate::common::client(&house.process);
    let got = client.get(&get("web/colour")).await.unwrap();
    assert_eq!((got.value.as_str(), got.revision), ("blue", set_.revision));
    let unknown = client.get(&get("web/size")).await;
    check_refused(unknown, Code::NotFound, reason::UNKNOWN_KEY);
}

#[tokio::test]
async fn of_eight_who_compare_exactly_one_wins() {
    let (house, client) = house();
    let first = client.set(&set("a/b", "0")).await.unwrap();
    let compares = [Compare::Revision(first.revision); 8];
    let racers = compares.into_iter().enumerate().map(|(n, compare)| {
        let client = crate::common::client(&house.process);
        let args = SetArgs {
            compare,
            ..set("a/b", &n.to_string())
        };
        tokio::spawn(async move { client.set(&args).await })
    });
    let (mut won, mut lost) = (0, 0);
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => {
                assert_eq!(error.reason, reason::REVISION_MOVED);
                lost += 1;
            }
        }
    }
    assert_eq!((won, lost), (1, 7));
    let absent = SetArgs {
        compare: Compare::Absent,
        ..set("a/b", "x")
    };
    check_refused(
        client.set(&absent).await,
        Code::Conflict,
        reason::REVISION_MOVED,
    );
    let gone = DeleteArgs {
        key: "a/b".to_owned(),
        compare: Compare::Revision(first.revision),
    };
    check_refused(
        client.delete(&gone).await,
        Code::Conflict,
        reason::REVISION_MOVED,
    );
}

#[tokio::test]
async fn history_says_what_it_was_and_rollback_brings_it_back() {
    let (_house, client) = house();
    for value in ["one", "two"] {
        client.set(&set("a/b", value)).await.unwrap();
    }
    let delete = DeleteArgs {
        key: "a/b".to_owned(),
        compare: Compare::Anything,
    };
    let deleted = client.delete(&delete).await.unwrap();
    assert_eq!(client.delete(&delete).await.unwrap(), deleted);
    let to = |to| RollbackArgs {
        key: "a/b".to_owned(),
        to,
        compare: Compare::Anything,
    };
    let back = client.rollback(&to(1)).await.unwrap();
    assert_eq!(client.get(&get("a/b")).await.unwrap().value, "one");
    let key = "a/b".to_owned();
    let history = client.history(&HistoryArgs { key }).await.unwrap().entries;
    let told: Vec<_> = history
        .iter()
        .map(|e| (e.number, e.value.as_deref(), e.rollback_to))
        .collect();
    let expected = [
        (4, Some("one"), Some(1)),
        (3, None, None),
        (2, Some("two"), None),
        (1, Some("one"), None),
    ];
    assert_eq!(told, expected);
    assert_eq!(history[0].revision, back.revision);
    assert!(
        history
            .windows(2)
            .all(|pair| pair[0].revision > pair[1].revision)
    );
    assert!(!history[0].by.is_empty() && history[0].at_ms >= history[3].at_ms);
    check_refused(
        client.rollback(&to(9)).await,
        Code::NotFound,
        reason::UNKNOWN_NUMBER,
    );
}

#[tokio::test]
async fn history_is_bounded_and_numbers_go_on() {
    let (_house, client) = house();
    for n in 0..HISTORY_MAX + 20 {
        client.set(&set("a/b", &n.to_string())).await.unwrap();
    }
    let key = "a/b".to_owned();
    let history = client.history(&HistoryArgs { key }).await.unwrap().entries;
    assert_eq!(history.len(), HISTORY_MAX);
    assert_eq!(history[0].number, HISTORY_MAX as u64 + 20);
    assert_eq!(history.last().unwrap().number, 21);
}

#[tokio::test]
async fn a_declared_key_takes_what_fits_and_nothing_else() {
    let (_house, client) = house();
    client
        .declare(&declare("web", vec![integer("limit", 1, 10, "5")]))
        .await
        .unwrap();
    let unset = client.get(&get("web/limit")).await.unwrap();
    assert_eq!((unset.value.as_str(), unset.revision), ("5", 0));
    client.set(&set("web/limit", "10")).await.unwrap();
    let wrong = client.set(&set("web/limit", "11")).await;
    let hint = wrong.as_ref().unwrap_err().hint.clone();
    assert!(hint.contains("a whole number from 1 to 10"), "{hint}");
    check_refused(wrong, Code::InvalidArgument, reason::BAD_VALUE);
    let typo = client.set(&set("web/limti", "1")).await;
    let hint = typo.as_ref().unwrap_err().hint.clone();
    assert!(hint.contains("web/limit"), "{hint}");
    check_refused(typo, Code::InvalidArgument, reason::UNDECLARED);
    let meant = SetArgs {
        undeclared: true,
        ..set("web/limti", "1")
    };
    client.set(&meant).await.unwrap();
    let schema = client.schema(&SchemaArgs::default()).await.unwrap();
    assert_eq!(schema.services.len(), 1);
    assert_eq!(schema.services[0].declarations[0].name, "limit");
}

#[tokio::test]
async fn a_declaration_has_to_allow_what_is_set() {
    let (_house, client) = house();
    client.set(&set("web/limit", "100")).await.unwrap();
    client.set(&set("web/old", "1")).await.unwrap();
    let narrow = declare("web", vec![integer("limit", 1, 10, "5")]);
    check_refused(
        client.declare(&narrow).await,
        Code::Conflict,
        reason::CONTRADICTS_VALUE,
    );
    let wide = declare("web", vec![integer("limit", 1, 100, "5")]);
    let reply = client.declare(&wide).await.unwrap();
    assert_eq!(reply.leftover, ["web/old"]);
    client.declare(&wide).await.unwrap();
    let bad = [
        declare("web", vec![integer("limit", 1, 10, "11")]),
        declare("web", vec![integer("limit", 2, 1, "1")]),
        declare("web", vec![integer("a", 1, 1, "1"); 101]),
    ];
    for args in bad {
        let refused = client.declare(&args).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_DECLARATION);
    }
    for args in [
        declare("", vec![]),
        declare("a/b", vec![]),
        declare("A", vec![]),
    ] {
        let refused = client.declare(&args).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_KEY);
    }
}

#[tokio::test]
async fn a_rollback_is_checked_like_any_write() {
    let (_house, client) = house();
    client.set(&set("web/limit", "100")).await.unwrap();
    client.set(&set("web/limit", "5")).await.unwrap();
    let narrow = declare("web", vec![integer("limit", 1, 10, "5")]);
    client.declare(&narrow).await.unwrap();
    let back = RollbackArgs {
        key: "web/limit".to_owned(),
        to: 1,
        compare: Compare::Anything,
    };
    let refused = client.rollback(&back).await;
    check_refused(refused, Code::InvalidArgument, reason::BAD_VALUE);
}

#[tokio::test]
async fn a_list_is_one_picture_over_all_its_pages() {
    let (_house, client) = house();
    for n in 0..25 {
        client.set(&set(&format!("a/{n:02}"), "x")).await.unwrap();
    }
    client.set(&set("ab/c", "x")).await.unwrap();
    let mut args = ListArgs {
        prefix: "a/".to_owned(),
        limit: 10,
        cursor: String::new(),
    };
    let mut keys = Vec::new();
    loop {
        let page = client.list(&args).await.unwrap();
        keys.extend(page.items.into_iter().map(|item| item.key));
        // Written after the first page: not in this picture.
        client.set(&set("a/99", "x")).await.unwrap();
        if page.cursor.is_empty() {
            break;
        }
        args.cursor = page.cursor;
    }
    let expected: Vec<String> = (0..25).map(|n| format!("a/{n:02}")).collect();
    assert_eq!(keys, expected);
    args.cursor = "nonsense".to_owned();
    check_refused(
        client.list(&args).await,
        Code::InvalidArgument,
        reason::BAD_CURSOR,
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let (_house, client) = house();
    for key in ["", "a", "/", "a/", "A/b", "a/b c", "a/\0"] {
        let refused = client.set(&set(key, "x")).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_KEY);
    }
    let fits = "x".repeat(VALUE_BYTES_MAX);
    client.set(&set("a/b", &fits)).await.unwrap();
    let large = client.set(&set("a/b", &format!("{fits}x"))).await;
    check_refused(large, Code::TooLarge, reason::VALUE_TOO_LARGE);
}

#[tokio::test]
async fn a_second_one_on_the_same_folder_is_refused_and_told_who_has_it() {
    let (house, _client) = house();
    let ended = chassis::testing::Start::binary(env!("CARGO_BIN_EXE_configuration"))
        .env("ORRERY_DATA", house.folder.path().display())
        .ended();
    assert_eq!(ended.status.code(), Some(69));
    let pid = house.process.pid().to_string();
    assert!(ended.stderr.contains(&pid), "{}", ended.stderr);
    drop(client(&house.process));
}
