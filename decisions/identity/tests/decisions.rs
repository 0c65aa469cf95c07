//! Who may do what, as tables.

use identity::{Call, Grant, GrantError, Refusal, Token, decide};
use proptest::prelude::*;

fn grants(texts: &[&str]) -> Vec<Grant> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn check(given: &[&str], service: &str, procedure: &str, writes: bool, allowed: bool) {
    let call = Call {
        service,
        procedure,
        writes,
    };
    let decision = decide(Some(&Token::new(grants(given))), &call, 0);
    let expected = allowed.then_some(()).ok_or(Refusal::NotGranted);
    assert_eq!(decision, expected, "{given:?} for {call:?}");
}

#[test]
fn a_grant_covers_what_it_names_and_nothing_else() {
    check(&["web:get:read"], "web", "get", false, true);
    check(&["web:get:read"], "web", "get", true, false);
    check(&["web:get:write"], "web", "get", false, true);
    check(&["web:get:read"], "web", "get_all", false, false);
    check(&["web:get:read"], "web2", "get", false, false);
    check(&["web:get:read"], "we", "get", false, false);
    check(&["*:get:read"], "web2", "get", false, true);
    check(&["web:*:write"], "web", "set", true, true);
    check(&["web:*:write"], "security", "create_token", true, false);
    check(&["a:b:read", "*:*:write"], "web", "set", true, true);
}

#[test]
fn refusals_have_words_of_their_own() {
    let all = [
        (Refusal::NoToken, "no-token", true),
        (Refusal::UnknownToken, "unknown-token", true),
        (Refusal::Revoked, "token-revoked", true),
        (Refusal::Expired, "token-expired", true),
        (Refusal::NotGranted, "not-granted", false),
    ];
    for (refusal, reason, about_identity) in all {
        assert_eq!(refusal.reason(), reason);
        assert_eq!(refusal.is_about_identity(), about_identity, "{reason}");
    }
}

#[test]
fn a_token_without_grants_may_do_nothing() {
    check(&[], "web", "get", false, false);
}

#[test]
fn a_refusal_says_the_first_reason() {
    let call = Call {
        service: "web",
        procedure: "get",
        writes: false,
    };
    let token = Token {
        grants: grants(&["*:*:write"]),
        expires_ms: Some(100),
        revoked: false,
    };
    let revoked = Token {
        revoked: true,
        ..token.clone()
    };
    assert_eq!(decide(None, &call, 0), Err(Refusal::UnknownToken));
    assert_eq!(decide(Some(&token), &call, 99), Ok(()));
    assert_eq!(decide(Some(&token), &call, 100), Err(Refusal::Expired));
    assert_eq!(decide(Some(&revoked), &call, 0), Err(Refusal::Revoked));
    assert_eq!(decide(Some(&revoked), &call, 100), Err(Refusal::Revoked));
}

#[test]
fn what_is_no_grant_is_refused_with_the_part_that_is_wrong() {
    let wrong = |text: &str| text.parse::<Grant>().unwrap_err();
    for text in ["", "web", "web:get", "web:get:read:more"] {
        assert_eq!(wrong(text), GrantError::Shape, "{text}");
    }
    assert_eq!(wrong(":get:read"), GrantError::Name(String::new()));
    assert_eq!(wrong("we*:get:read"), GrantError::Name("we*".into()));
    assert_eq!(wrong("web:Get:read"), GrantError::Name("Get".into()));
    assert_eq!(wrong("web:get:admin"), GrantError::Access("admin".into()));
}

proptest! {
    #[test]
    fn a_grant_reads_back_what_it_writes(
        service in "[a-z0-9_-]{1,64}|\\*",
        procedure in "[a-z0-9_-]{1,64}|\\*",
        access in "read|write",
    ) {
        let text = format!("{service}:{procedure}:{access}");
        prop_assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
    }

    #[test]
    fn no_text_at_all_makes_it_panic(text in ".{0,200}") {
        let _ = text.parse::<Grant>();
    }

    #[test]
    fn what_a_grant_includes_is_what_it_covers(
        wide in "(a|b|\\*):(x|y|\\*):(read|write)",
        narrow in "(a|b|\\*):(x|y|\\*):(read|write)",
    ) {
        let (wide, narrow): (Grant, Grant) = (wide.parse().unwrap(), narrow.parse().unwrap());
        // `c` and `z` stand for all names that no grant here writes out.
        let names = |some: [&'static str; 3]| some.into_iter();
        let covered = names(["a", "b", "c"]).all(|service| {
            names(["x", "y", "z"]).all(|procedure| {
                [false, true].into_iter().all(|writes| {
                    let call = Call { service, procedure, writes };
                    !narrow.covers(&call) || wide.covers(&call)
                })
            })
        });
        prop_assert_eq!(wide.includes(&narrow), covered);
    }

    #[test]
    fn one_more_grant_never_takes_anything_away(
        given in prop::collection::vec("(a|b|\\*):(x|y|\\*):(read|write)", 0..4),
        more in "(a|b|\\*):(x|y|\\*):(read|write)",
        writes in any::<bool>(),
    ) {
        let call = Call { service: "a", procedure: "x", writes };
        let mut token = Token::new(given.iter().map(|text| text.parse().unwrap()).collect());
        let before = decide(Some(&token), &call, 0);
        token.grants.push(more.parse().unwrap());
        if before.is_ok() {
            prop_assert_eq!(decide(Some(&token), &call, 0), Ok(()));
        }
    }
}
