//! The promises of a lease, as tables.

use membership::{Epoch, Expired, Freshness, LeaseError, Leases, Terms};

const TTL_MS: u64 = 5_000;

/// Leases whose server ticks every 500 ms from 0 to `until_ms`; returns what ended on the way.
fn tick(leases: &mut Leases<&'static str>, from_ms: u64, until_ms: u64) -> Vec<&'static str> {
    let mut ended = Vec::new();
    let mut now_ms = from_ms;
    while now_ms <= until_ms {
        let expired = leases.expire(now_ms);
        ended.extend(expired.into_iter().map(|expired| expired.owner));
        now_ms += 500;
    }
    ended
}

fn leases() -> Leases<&'static str> {
    Leases::new(Terms::default())
}

#[test]
fn a_lease_that_is_not_kept_alive_ends_when_its_ttl_is_over_and_not_before() {
    let mut leases = leases();
    leases.register("echo.0.1", TTL_MS, 0);
    assert!(tick(&mut leases, 0, 4_500).is_empty());
    assert!(leases.expire(4_999).is_empty());
    assert_eq!(leases.next_expiry(), Some(5_000));
    assert_eq!(leases.expire(5_000).len(), 1);
    assert!(leases.is_empty());
}

#[test]
fn a_keepalive_gives_a_whole_ttl_from_the_moment_it_is_acknowledged() {
    let mut leases = leases();
    let epoch = leases.register("echo.0.1", TTL_MS, 0);
    tick(&mut leases, 0, 4_500);
    assert_eq!(leases.keep_alive(&"echo.0.1", epoch, 4_900), Ok(9_900));
    assert!(tick(&mut leases, 5_000, 9_800).is_empty());
    assert_eq!(tick(&mut leases, 10_000, 10_000), ["echo.0.1"]);
}

#[test]
fn an_owner_that_comes_back_has_a_new_epoch_and_its_old_one_is_refused() {
    let mut leases = leases();
    let old = leases.register("echo.0.1", TTL_MS, 0);
    let new = leases.register("echo.0.1", TTL_MS, 100);
    assert!(new > old);
    let refused = leases.keep_alive(&"echo.0.1", old, 200);
    let (given, current) = (old, new);
    assert_eq!(refused, Err(LeaseError::Replaced { given, current }));
    let farewell = leases.deregister(&"echo.0.1", old);
    assert!(
        farewell.is_err(),
        "a predecessor does not deregister its successor"
    );
    assert_eq!(leases.deregister(&"echo.0.1", new), Ok(()));
}

#[test]
fn a_lease_that_has_ended_never_comes_back_even_if_nobody_looked() {
    let mut leases = leases();
    let epoch = leases.register("echo.0.1", 1_000, 0);
    leases.keep_alive(&"echo.0.1", epoch, 500).unwrap();
    leases.register("other", TTL_MS, 1_400);
    let late = leases.keep_alive(&"echo.0.1", epoch, 1_501);
    assert_eq!(late, Err(LeaseError::Ended));
    let expired = leases.expire(1_501);
    let owner = "echo.0.1";
    assert_eq!(expired, [Expired { owner, epoch }]);
    assert_eq!(
        leases.keep_alive(&owner, epoch, 1_502),
        Err(LeaseError::Ended)
    );
}

#[test]
fn a_server_that_was_paused_longer_than_every_ttl_ends_no_lease_on_waking() {
    let mut leases = leases();
    for owner in ["a", "b", "c"] {
        leases.register(owner, TTL_MS, 0);
    }
    tick(&mut leases, 0, 2_000);
    assert!(
        leases.expire(12_000).is_empty(),
        "the pause was the server's, not theirs"
    );
    assert_eq!(
        leases.next_expiry(),
        Some(15_000),
        "5,000 plus the gap of 10,000"
    );
    assert_eq!(tick(&mut leases, 12_500, 15_000), ["a", "b", "c"]);
}

#[test]
fn the_pause_is_noticed_by_whatever_comes_first_after_it() {
    let mut leases = leases();
    let a = leases.register("a", TTL_MS, 0);
    leases.register("b", TTL_MS, 0);
    tick(&mut leases, 0, 2_000);
    assert_eq!(leases.keep_alive(&"a", a, 12_000), Ok(17_000));
    assert!(leases.expire(12_001).is_empty(), "b keeps what it had, too");
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut leases = leases();
    let epoch = leases.register("a", TTL_MS, 10_000);
    assert_eq!(leases.keep_alive(&"a", epoch, 3), Ok(15_000));
    assert!(leases.expire(0).is_empty());
}

#[test]
fn a_ttl_is_granted_within_the_terms() {
    let mut leases = leases();
    for (wished, granted) in [(0, 500), (500, 500), (9_000, 9_000), (u64::MAX, 300_000)] {
        leases.register("a", wished, 0);
        assert_eq!(leases.get(&"a").map(|lease| lease.ttl_ms), Some(granted));
    }
}

#[test]
fn epochs_go_on_from_an_earlier_life_and_unknown_ones_are_refused() {
    let mut leases = Leases::resuming_after(Terms::default(), Epoch(41));
    assert_eq!(leases.register("a", TTL_MS, 0), Epoch(42));
    let given = Epoch(43);
    let refused = leases.keep_alive(&"a", given, 1);
    assert_eq!(refused, Err(LeaseError::FromTheFuture { given }));
    assert_eq!(
        leases.keep_alive(&"b", Epoch(42), 1),
        Err(LeaseError::Ended)
    );
}

#[test]
fn a_client_that_lost_the_server_keeps_its_answer_and_knows_its_age() {
    assert_eq!(Freshness::of(None, 9), Freshness::Live);
    assert_eq!(Freshness::of(Some(4), 9), Freshness::Stale { age_ms: 5 });
}
