//! A service's own keys, live.

use std::time::Duration;

use chassis::testing::{PATIENCE, Start, fixed_address};
use configuration::{Compare, ConfigurationClient, DeleteArgs, Values, reason};
use rpc::{Channel, Code};
use tokio::time::timeout;

use crate::common::{check_refused, house, set};

#[tokio::test]
async fn live_values_follow_what_is_set_and_fall_back_to_their_defaults() {
    let (house, client) = house();
    let mut values = Values::new("greeter");
    let mut pause = values.duration("pause", "50ms", "0ms", "10s", "How long it thinks.");
    let polite = values.boolean("polite", true, "Whether it says please.");
    let mut limit = values.integer("limit", 7, (0, 100), "How many at most.");
    let mut words = values.text("words", "good day", &[], "What it says.");
    assert_eq!(pause.get(), Duration::from_millis(50));
    client.set(&set("greeter/words", "ahoy")).await.unwrap();
    let mut following = values.follow(Channel::to(house.process.address()));
    timeout(PATIENCE, following.fresh()).await.unwrap();
    assert_eq!(following.stale_for(), None);
    assert_eq!(words.get(), "ahoy");
    assert_eq!((polite.get(), limit.get()), (true, 7));
    client.set(&set("greeter/limit", "8")).await.unwrap();
    assert_eq!(timeout(PATIENCE, limit.changed()).await.unwrap(), 8);
    client.set(&set("greeter/pause", "1s")).await.unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(timeout(PATIENCE, pause.changed()).await.unwrap(), second);
    let wrong = client.set(&set("greeter/pause", "11s")).await;
    check_refused(wrong, Code::InvalidArgument, reason::BAD_VALUE);
    // The first look at `words` saw what was set before anybody followed.
    let _ = timeout(PATIENCE, words.changed()).await.unwrap();
    let delete = DeleteArgs {
        key: "greeter/words".to_owned(),
        compare: Compare::Anything,
    };
    client.delete(&delete).await.unwrap();
    assert_eq!(
        timeout(PATIENCE, words.changed()).await.unwrap(),
        "good day"
    );
}

#[tokio::test]
async fn while_configuration_is_away_values_stay_and_say_how_old_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let address = fixed_address();
    let start = || {
        Start::binary(env!("CARGO_BIN_EXE_configuration"))
            .env("ORRERY_DATA", folder.path().display())
            .env("PORT", address.port())
            .ready()
    };
    let mut values = Values::new("greeter");
    let mut limit = values.integer("limit", 1, (0, 100), "How many at most.");
    let mut following = values.follow(Channel::to(address));
    assert!(following.stale_for().is_some());
    assert_eq!(limit.get(), 1);
    let mut process = start();
    timeout(PATIENCE, following.fresh()).await.unwrap();
    let client = ConfigurationClient::new(Channel::to(address));
    client.set(&set("greeter/limit", "2")).await.unwrap();
    assert_eq!(timeout(PATIENCE, limit.changed()).await.unwrap(), 2);
    process.kill();
    let deadline = std::time::Instant::now() + PATIENCE;
    while following.stale_for().is_none() {
        assert!(std::time::Instant::now() < deadline, "nobody notices");
        tokio::task::yield_now().await;
    }
    assert_eq!(limit.get(), 2);
    let _process = start();
    let client = ConfigurationClient::new(Channel::to(address));
    client.set(&set("greeter/limit", "3")).await.unwrap();
    assert_eq!(timeout(PATIENCE, limit.changed()).await.unwrap(), 3);
    assert_eq!(following.stale_for(), None);
}
