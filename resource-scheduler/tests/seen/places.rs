//! Where things go: the rules are tested where they are; here, that they are kept all the way.

use resource_scheduler::{ExplainArgs, PreviewArgs};
use rpc::Empty;

use crate::harness::{Fleet, until, wish};

#[tokio::test]
async fn best_fit_takes_the_tightest_machine_and_none_goes_above_85_percent_but_for_p0() {
    let fleet = Fleet::start(1).await;
    let _large = fleet.machine("large", &[("cpu", "8000")]).await;
    let _small = fleet.machine("small", &[("cpu", "1000")]).await;
    fleet.apply(&wish("first", 1, 500, "")).await;
    let first = fleet.placed("first", 1).await;
    assert_eq!(first.keys().collect::<Vec<_>>(), ["small"]);
    // 500 + 400 of 1000 would be 90 percent.
    fleet.apply(&wish("second", 1, 400, "")).await;
    let second = fleet.placed("second", 1).await;
    assert_eq!(second.keys().collect::<Vec<_>>(), ["large"]);
    fleet.apply(&wish("urgent", 1, 400, "class = \"p0\"")).await;
    let urgent = fleet.placed("urgent", 1).await;
    assert_eq!(urgent.keys().collect::<Vec<_>>(), ["small"]);
}

#[tokio::test]
async fn instances_of_a_service_lie_apart_when_nobody_says_otherwise() {
    let fleet = Fleet::start(1).await;
    let mut machines = Vec::new();
    for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        let says = [("cpu", "4000"), ("zone", zone)];
        machines.push(fleet.machine(name, &says).await);
    }
    fleet.apply(&wish("echo", 3, 100, "")).await;
    let placed = fleet.placed("echo", 3).await;
    assert_eq!(placed.into_values().collect::<Vec<_>>(), [1, 1, 1]);
}

#[tokio::test]
async fn labels_and_taints_are_kept_and_what_fits_nowhere_says_why_until_it_does() {
    let fleet = Fleet::start(1).await;
    let _plain = fleet.machine("plain", &[("cpu", "4000")]).await;
    let says = [
        ("cpu", "4000"),
        ("antenna", "x-band"),
        ("taint.dedicated", "passes"),
    ];
    let _station = fleet.machine("station", &says).await;
    let asks = "requirements = [{ key = \"antenna\", operator = \"exists\" }]\n";
    fleet.apply(&wish("pass", 1, 100, asks)).await;
    let why = fleet.waits("pass", "taints").await;
    assert!(why.contains("labels"), "{why}");
    let tolerates = format!("{asks}tolerations = [{{ key = \"dedicated\" }}]\n");
    fleet.apply(&wish("pass", 1, 100, &tolerates)).await;
    let placed = fleet.placed("pass", 1).await;
    assert_eq!(placed.keys().collect::<Vec<_>>(), ["station"]);
    // Too much for everybody, until another machine joins.
    fleet.apply(&wish("big", 1, 7_000, "")).await;
    fleet.waits("big", "capacity").await;
    let stats = fleet.replica(0).stats(&Empty {}).await.unwrap();
    assert!(stats.scale_up.starts_with("big.0."), "{stats:?}");
    let _huge = fleet.machine("huge", &[("cpu", "16000")]).await;
    let placed = fleet.placed("big", 1).await;
    assert_eq!(placed.keys().collect::<Vec<_>>(), ["huge"]);
}

#[tokio::test]
async fn a_cordoned_machine_keeps_what_it_has_and_gets_nothing_new() {
    let fleet = Fleet::start(1).await;
    let _one = fleet.machine("one", &[("cpu", "1000")]).await;
    let _two = fleet.machine("two", &[("cpu", "4000")]).await;
    fleet.apply(&wish("echo", 1, 500, "")).await;
    let placed = fleet.placed("echo", 1).await;
    assert_eq!(placed.keys().collect::<Vec<_>>(), ["one"]);
    fleet.set_duty("one", "cordoned").await;
    fleet.apply(&wish("other", 1, 100, "")).await;
    let placed = fleet.placed("other", 1).await;
    assert_eq!(placed.keys().collect::<Vec<_>>(), ["two"]);
    let kept = fleet.placed("echo", 1).await;
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["one"]);
}

#[tokio::test]
async fn a_replacement_for_what_is_on_a_draining_machine_goes_to_where_there_is_room() {
    let fleet = Fleet::start(1).await;
    let _one = fleet.machine("one", &[("cpu", "1000")]).await;
    let _full = fleet.machine("full", &[("cpu", "100")]).await;
    let _two = fleet.machine("two", &[("cpu", "4000")]).await;
    fleet.apply(&wish("echo", 1, 500, "")).await;
    let placed = fleet.placed("echo", 1).await;
    assert_eq!(placed.keys().collect::<Vec<_>>(), ["one"]);
    fleet.set_duty("one", "draining").await;
    until("echo has a place on the other machine", || async {
        let all = fleet.instances("echo").await;
        all.iter()
            .any(|i| i.node.as_deref() == Some("two"))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_where_more_would_go_and_keeps_nothing() {
    let fleet = Fleet::start(1).await;
    let _one = fleet.machine("one", &[("cpu", "2000")]).await;
    fleet.apply(&wish("echo", 1, 500, "")).await;
    fleet.placed("echo", 1).await;
    let replica = fleet.replica(0);
    let args = PreviewArgs {
        service: "echo".to_owned(),
        wishes: None,
        count: 5,
    };
    for _ in 0..2 {
        let preview = until("the preview knows what is placed", || async {
            let preview = replica.preview(&args).await.ok()?;
            (preview.nowhere == 3).then_some(preview)
        })
        .await;
        assert_eq!(preview.placed, [("one".to_owned(), 2)]);
        assert!(preview.why.contains("capacity"), "{}", preview.why);
    }
    let args = ExplainArgs {
        target: "echo.0.1".to_owned(),
        machines_max: 10,
    };
    let explained = replica.explain(&args).await.unwrap();
    assert_eq!(explained.node.as_deref(), Some("one"));
    let args = ExplainArgs {
        target: "nobody".to_owned(),
        ..args
    };
    let error = replica.explain(&args).await.unwrap_err();
    assert_eq!(error.reason, resource_scheduler::reason::UNKNOWN_TARGET);
}
