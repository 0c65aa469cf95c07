//! The real binary on a port of its own: tokens, roles, and the record of who did what.

use crate::common::{ADMIN, check_refused, house, named, start};
use rpc::{Code, Empty};
use security::{
    AuditArgs, AuditEntry, CreateTokenArgs, DeleteRoleArgs, ListTokensArgs, RecordArgs,
    RevokeTokenArgs, SYSTEM_ADDRESS, SYSTEM_NAME, SetRoleArgs, TokenEvent, ValidateTokenArgs,
    reason,
};

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_security");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn a_token_does_what_it_was_made_for_until_it_is_revoked() {
    let house = house();
    let admin = house.admin();
    let made = admin
        .create_token(&named("lister", &["security:list_tokens:read"]))
        .await
        .unwrap();
    let lister = house.with(&made.token);
    let list = lister
        .list_tokens(&ListTokensArgs::default())
        .await
        .unwrap();
    let names: Vec<&str> = list.tokens.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["admin", "lister"]);
    check_refused(
        lister.create_token(&named("more", &[])).await,
        Code::PermissionDenied,
        "not-granted",
    );
    let revoke = RevokeTokenArgs { id: made.id };
    admin.revoke_token(&revoke).await.unwrap();
    admin.revoke_token(&revoke).await.unwrap();
    check_refused(
        lister.list_tokens(&ListTokensArgs::default()).await,
        Code::Unauthenticated,
        "token-revoked",
    );
    let list = admin.list_tokens(&ListTokensArgs::default()).await.unwrap();
    assert_eq!(list.tokens.len(), 1);
    let list = admin
        .list_tokens(&ListTokensArgs { all: true })
        .await
        .unwrap();
    assert!(list.tokens[1].revoked_ms.is_some());
    assert_eq!(list.tokens[1].created_by, "admin (t-1)");
}

#[tokio::test]
async fn no_route_is_open_but_health() {
    let house = house();
    for token in ["", "wrong", "v4.public.wrong"] {
        let reason = if token.is_empty() {
            "no-token"
        } else {
            "unknown-token"
        };
        let nobody = house.with(token);
        let args = ListTokensArgs::default();
        check_refused(
            nobody.list_tokens(&args).await,
            Code::Unauthenticated,
            reason,
        );
        let made = nobody.create_token(&named("me", &["*:*:write"])).await;
        check_refused(made, Code::Unauthenticated, reason);
    }
    house.process.builtin().health(&Empty {}).await.unwrap();
}

#[tokio::test]
async fn a_token_expires() {
    let house = house();
    let args = CreateTokenArgs {
        ttl_ms: Some(30),
        ..named("short", &["*:*:read"])
    };
    let made = house.admin().create_token(&args).await.unwrap();
    let short = house.with(&made.token);
    let deadline = std::time::Instant::now() + chassis::testing::PATIENCE;
    while short.list_roles(&Empty {}).await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "it does not expire");
    }
    check_refused(
        short.list_roles(&Empty {}).await,
        Code::Unauthenticated,
        "token-expired",
    );
}

#[tokio::test]
async fn nobody_gives_away_more_than_they_have() {
    let house = house();
    let grants = ["security:*:write", "configuration:*:read"];
    let made = house
        .admin()
        .create_token(&named("chief", &grants))
        .await
        .unwrap();
    let chief = house.with(&made.token);
    chief
        .create_token(&named("reader", &["configuration:get:read"]))
        .await
        .unwrap();
    for wider in ["configuration:get:write", "*:*:read", "storage:get:read"] {
        check_refused(
            chief.create_token(&named("thief", &[wider])).await,
            Code::PermissionDenied,
            reason::GRANTS_TOO_WIDE,
        );
    }
    let by_role = CreateTokenArgs {
        roles: vec!["admin".into()],
        ..named("thief", &[])
    };
    let wider = chief.create_token(&by_role).await;
    check_refused(wider, Code::PermissionDenied, reason::GRANTS_TOO_WIDE);
    let role = SetRoleArgs {
        name: "viewer".into(),
        grants: vec!["*:*:write".into()],
    };
    let wider = chief.set_role(&role).await;
    check_refused(wider, Code::PermissionDenied, reason::GRANTS_TOO_WIDE);
}

#[tokio::test]
async fn a_role_counts_for_everybody_who_has_it_from_the_next_call_on() {
    let house = house();
    let admin = house.admin();
    let args = CreateTokenArgs {
        roles: vec!["viewer".into()],
        ..named("guest", &[])
    };
    let guest = house.with(&admin.create_token(&args).await.unwrap().token);
    guest.list_roles(&Empty {}).await.unwrap();
    let nothing = SetRoleArgs {
        name: "viewer".into(),
        grants: Vec::new(),
    };
    admin.set_role(&nothing).await.unwrap();
    check_refused(
        guest.list_roles(&Empty {}).await,
        Code::PermissionDenied,
        "not-granted",
    );
    let delete = |name: &str| DeleteRoleArgs { name: name.into() };
    let used = admin.delete_role(&delete("viewer")).await;
    check_refused(used, Code::Conflict, reason::ROLE_IN_USE);
    admin.delete_role(&delete("operator")).await.unwrap();
    admin.delete_role(&delete("operator")).await.unwrap();
    let roles = admin.list_roles(&Empty {}).await.unwrap().roles;
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["admin", "viewer"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let house = house();
    let admin = house.admin();
    let long = "x".repeat(65);
    let many = vec!["a:b:read"; 65];
    let cases = [
        (named("", &[]), Code::InvalidArgument, reason::BAD_NAME),
        (named(&long, &[]), Code::InvalidArgument, reason::BAD_NAME),
        (named("a b", &[]), Code::InvalidArgument, reason::BAD_NAME),
        (named("a", &["a"]), Code::InvalidArgument, reason::BAD_GRANT),
        (
            named("a", &["a:b:all"]),
            Code::InvalidArgument,
            reason::BAD_GRANT,
        ),
        (named("a", &many), Code::ResourceExhausted, reason::TOO_MANY),
        (
            CreateTokenArgs {
                ttl_ms: Some(0),
                ..named("a", &[])
            },
            Code::InvalidArgument,
            reason::BAD_TTL,
        ),
        (
            CreateTokenArgs {
                roles: vec!["king".into()],
                ..named("a", &[])
            },
            Code::NotFound,
            reason::UNKNOWN_ROLE,
        ),
    ];
    for (args, code, reason) in cases {
        check_refused(admin.create_token(&args).await, code, reason);
    }
    for id in ["", "t-", "t-99", "12", ADMIN] {
        let revoked = admin.revoke_token(&RevokeTokenArgs { id: id.into() }).await;
        check_refused(revoked, Code::NotFound, reason::UNKNOWN_TOKEN_ID);
    }
}

#[tokio::test]
async fn a_token_can_be_asked_about() {
    let house = house();
    let admin = house.admin();
    let made = admin
        .create_token(&named("ci", &["release:*:write"]))
        .await
        .unwrap();
    let ask = |token: &str, service: &str, writes| ValidateTokenArgs {
        token: token.to_owned(),
        service: service.to_owned(),
        procedure: "create".to_owned(),
        writes,
    };
    let good = admin
        .validate_token(&ask(&made.token, "release", true))
        .await
        .unwrap();
    assert!(good.valid && good.reason.is_empty());
    let token = good.token.unwrap();
    assert_eq!((token.name.as_str(), token.id), ("ci", made.id));
    assert!(token.last_used_ms.is_some());
    let other = admin
        .validate_token(&ask(&made.token, "storage", false))
        .await
        .unwrap();
    assert_eq!((other.valid, other.reason.as_str()), (false, "not-granted"));
    let unknown = admin
        .validate_token(&ask("nonsense", "release", true))
        .await
        .unwrap();
    assert_eq!(
        (unknown.valid, unknown.reason.as_str()),
        (false, "unknown-token")
    );
    assert_eq!(unknown.token, None);
}

#[tokio::test]
async fn a_follower_is_told_everything_and_then_every_change() {
    let house = house();
    let admin = house.admin();
    for n in 0..450 {
        let name = format!("n{n}");
        admin
            .create_token(&named(&name, &["a:b:read"]))
            .await
            .unwrap();
    }
    let mut stream = admin.watch_tokens(&Empty {}).await.unwrap();
    let mut all = Vec::new();
    loop {
        let Some(Ok(TokenEvent::All { tokens, more })) = stream.next().await else {
            panic!("a part of all");
        };
        all.extend(tokens);
        if !more {
            break;
        }
    }
    assert_eq!(all.len(), 451);
    admin
        .revoke_token(&RevokeTokenArgs { id: "t-7".into() })
        .await
        .unwrap();
    let Some(Ok(TokenEvent::Changed { tokens })) = stream.next().await else {
        panic!("a change");
    };
    assert_eq!(tokens.len(), 1);
    assert!(tokens[0].revoked && tokens[0].name == "n5 (t-7)");
}

#[tokio::test]
async fn the_audit_log_says_who_did_what_and_is_a_chain() {
    let mut house = house();
    let admin = house.admin();
    let made = admin
        .create_token(&named("helper", &["security:*:write"]))
        .await
        .unwrap();
    let helper = house.with(&made.token);
    let other = helper.create_token(&named("other", &[])).await.unwrap();
    helper
        .revoke_token(&RevokeTokenArgs { id: other.id })
        .await
        .unwrap();
    let call = |caller: &str| chassis::trust::RecordedCall {
        at_ms: 1,
        caller: caller.into(),
        service: "echo".into(),
        instance: "echo.0.1".into(),
        procedure: "echo".into(),
        subject: String::new(),
        verdict: "allowed".into(),
    };
    let forged = RecordArgs {
        calls: vec![call("ada")],
    };
    check_refused(
        helper.record(&forged).await,
        Code::PermissionDenied,
        reason::NOT_AN_INSTANCE,
    );
    house.process.kill();
    house.process = start(&house.folder);
    let admin = house.admin();
    admin
        .set_role(&SetRoleArgs {
            name: "none".into(),
            grants: vec![],
        })
        .await
        .unwrap();
    let entries = admin.audit(&AuditArgs::default()).await.unwrap().entries;
    let told: Vec<String> = entries
        .iter()
        .map(|AuditEntry { call, .. }| {
            format!("{} {} {}", call.caller, call.procedure, call.subject)
        })
        .collect();
    let expected = [
        "admin (t-1) create_token helper",
        "helper (t-2) create_token other",
        "helper (t-2) revoke_token t-3",
        "admin (t-1) set_role none",
    ];
    assert_eq!(told, expected);
    let mut before = "0".repeat(64);
    for entry in &entries {
        assert!(entry.follows(&before), "{entry:?}");
        before.clone_from(&entry.hash);
    }
    let mut changed = entries[1].clone();
    changed.call.caller = "nobody".into();
    assert!(!changed.follows(&entries[0].hash));
    let only = AuditArgs {
        caller: Some("helper (t-2)".into()),
        limit: 1,
        ..AuditArgs::default()
    };
    let page = admin.audit(&only).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (1, Some(2)));
    let rest = AuditArgs {
        after: 2,
        limit: 0,
        ..only
    };
    let page = admin.audit(&rest).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (1, None));
}

#[tokio::test]
async fn the_first_admin_token_is_said_once_and_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let alone = || {
        chassis::testing::Start::binary(env!("CARGO_BIN_EXE_security"))
            .env("ORRERY_DATA", folder.path().display())
            .env("ORRERY_AUTH", "auto")
            .ready()
    };
    let mut process = alone();
    process.says("said this once");
    let stderr = process.stderr();
    let token = stderr
        .split_whitespace()
        .find(|word| word.starts_with("orrery_"));
    let token = token.expect("a token").to_owned();
    crate::common::with(&process, &token)
        .list_roles(&Empty {})
        .await
        .unwrap();
    process.kill();
    let process = alone();
    crate::common::with(&process, &token)
        .list_roles(&Empty {})
        .await
        .unwrap();
    assert!(
        !process.stderr().contains("orrery_"),
        "{}",
        process.stderr()
    );
}

#[tokio::test]
async fn another_admin_token_replaces_the_one_before() {
    let mut house = house();
    let first = house.admin();
    first.list_roles(&Empty {}).await.unwrap();
    house.process.kill();
    let next = "another admin token for tests";
    house.process = chassis::testing::Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", house.folder.path().display())
        .env("ORRERY_AUTH", "auto")
        .env("ADMIN_TOKEN", next)
        .ready();
    house.with(next).list_roles(&Empty {}).await.unwrap();
    let old = house.admin().list_roles(&Empty {}).await;
    check_refused(old, Code::Unauthenticated, "token-revoked");
}

#[tokio::test]
async fn a_second_one_on_the_same_folder_is_refused_and_told_who_has_it() {
    let house = house();
    let ended = chassis::testing::Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", house.folder.path().display())
        .ended();
    assert_eq!(ended.status.code(), Some(69));
    assert!(
        ended.stderr.contains(&house.process.pid().to_string()),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn an_admin_token_that_can_be_guessed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ended = chassis::testing::Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ADMIN_TOKEN", "admin")
        .ended();
    assert_eq!(ended.status.code(), Some(78));
    assert!(ended.stderr.contains("at least 20"), "{}", ended.stderr);
}
