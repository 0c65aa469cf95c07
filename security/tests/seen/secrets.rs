//! Secrets over real sockets: kept sealed, shown to whom they are for, on record.

use std::fs;
use std::path::Path;

use chassis::trust::{Claims, FleetKey, Kind};
use rpc::{Code, Empty};
use security::{
    AuditArgs, DeleteSecretArgs, GetSecretArgs, PutSecretArgs, SYSTEM_NAME, SecurityClient, limits,
    reason,
};

use crate::common::{ADMIN, check_refused, house, named, start, with};

/// Known text, found wherever it does not belong.
const VALUE: &str = "c0rrect-h0rse-battery-staple";

fn put(name: &str, value: &str) -> PutSecretArgs {
    PutSecretArgs {
        name: name.to_owned(),
        value: value.as_bytes().to_vec(),
    }
}

fn get(name: &str) -> GetSecretArgs {
    GetSecretArgs {
        name: name.to_owned(),
        reader: "web.0.1".to_owned(),
    }
}

async fn read(client: &SecurityClient, name: &str) -> (u64, String) {
    let reply = client.get_secret(&get(name)).await.unwrap();
    (reply.revision, String::from_utf8(reply.value).unwrap())
}

/// Files under this folder in which the text is.
fn found(folder: &Path, text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(found(&path, text));
        } else {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
                all.push(path.display().to_string());
            }
        }
    }
    all
}

#[tokio::test]
async fn a_secret_is_put_read_listed_without_its_value_and_forgotten() {
    let house = house();
    let admin = house.admin();
    assert_eq!(
        admin.put_secret(&put("db", "old")).await.unwrap().revision,
        1
    );
    assert_eq!(
        admin.put_secret(&put("db", VALUE)).await.unwrap().revision,
        2
    );
    assert_eq!(read(&admin, "db").await, (2, VALUE.to_owned()));
    let listed = admin.list_secrets(&Empty {}).await.unwrap();
    let shown = serde_json::to_string(&listed).unwrap();
    assert!(!shown.contains(VALUE), "{shown}");
    let secret = &listed.secrets[0];
    assert_eq!((secret.name.as_str(), secret.revision), ("db", 2));
    assert_eq!(secret.put_by, "admin (t-1)");
    let delete = DeleteSecretArgs { name: "db".into() };
    admin.delete_secret(&delete).await.unwrap();
    admin.delete_secret(&delete).await.unwrap();
    let gone = admin.get_secret(&get("db")).await;
    check_refused(gone, Code::NotFound, reason::UNKNOWN_SECRET);
}

#[tokio::test]
async fn who_may_read_everything_may_not_read_secrets() {
    let house = house();
    let admin = house.admin();
    admin.put_secret(&put("db", VALUE)).await.unwrap();
    for grants in [["*:*:read"], ["security:*:read"], ["scheduling:*:write"]] {
        let made = admin.create_token(&named("t", &grants)).await.unwrap();
        let refused = house.with(&made.token).get_secret(&get("db")).await;
        check_refused(refused, Code::PermissionDenied, "not-granted");
    }
    let operator = security::CreateTokenArgs {
        roles: vec!["operator".into()],
        ..named("operator", &[])
    };
    let made = admin.create_token(&operator).await.unwrap();
    let refused = house.with(&made.token).get_secret(&get("db")).await;
    check_refused(refused, Code::PermissionDenied, "not-granted");
}

#[tokio::test]
async fn of_all_instances_scheduling_alone_reads_them_whatever_a_token_says() {
    let folder = tempfile::tempdir().unwrap();
    let key = FleetKey::generate().unwrap();
    let process = chassis::testing::Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_FLEET_KEY", key.public().to_hex())
        .env("ORRERY_AUTH", "auto")
        .env("ADMIN_TOKEN", ADMIN)
        .ready();
    with(&process, ADMIN)
        .put_secret(&put("db", VALUE))
        .await
        .unwrap();
    let speaks_as = |service: &str| {
        let claims = Claims {
            name: format!("{service}.0.1"),
            kind: Kind::Instance {
                service: service.to_owned(),
            },
            grants: vec!["*:*:write".parse().unwrap()],
            expires_ms: u64::MAX,
        };
        with(&process, &key.sign(&claims).unwrap())
    };
    assert_eq!(read(&speaks_as("scheduling"), "db").await.1, VALUE);
    for service in ["echo", "dashboard", "scheduling2", "schedulin"] {
        let refused = speaks_as(service).get_secret(&get("db")).await;
        check_refused(refused, Code::PermissionDenied, reason::NOT_FOR_INSTANCES);
    }
}

#[tokio::test]
async fn what_is_refused_is_refused_without_repeating_the_value() {
    let house = house();
    let admin = house.admin();
    let long = VALUE.repeat(limits::SECRET_BYTES_MAX / VALUE.len() + 1);
    let wrong = [put("no name", VALUE), put("db", ""), put("db", &long)];
    for args in wrong {
        let refused = admin.put_secret(&args).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument);
        assert!(!format!("{refused:?}").contains(VALUE), "{refused:?}");
    }
    let nobody = house.with("wrong").put_secret(&put("db", VALUE)).await;
    let refused = nobody.unwrap_err();
    assert!(!format!("{refused:?}").contains(VALUE), "{refused:?}");
}

#[tokio::test]
async fn the_value_is_in_no_file_and_each_reading_is_on_record() {
    let house = house();
    let admin = house.admin();
    admin.put_secret(&put("db", VALUE)).await.unwrap();
    read(&admin, "db").await;
    admin.rotate_secrets(&Empty {}).await.unwrap();
    assert_eq!(found(house.folder.path(), VALUE), [""; 0]);
    // The search finds what there is to find.
    assert!(!found(house.folder.path(), "get_secret").is_empty());
    let log = admin.audit(&AuditArgs::default()).await.unwrap();
    let calls = log.entries.iter().map(|e| &e.call);
    let calls: Vec<(&str, &str)> = calls
        .filter(|call| call.procedure.contains("secret"))
        .map(|call| (call.procedure.as_str(), call.subject.as_str()))
        .collect();
    let wanted = [
        ("put_secret", "db"),
        ("get_secret", "db for web.0.1"),
        ("rotate_secrets", ""),
    ];
    assert_eq!(calls, wanted);
    assert!(!format!("{log:?}").contains(VALUE));
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_and_survives_a_kill() {
    let mut house = house();
    let admin = house.admin();
    for n in 0..120 {
        admin
            .put_secret(&put(&format!("s{n}"), &format!("value {n}")))
            .await
            .unwrap();
    }
    let before = admin.list_secrets(&Empty {}).await.unwrap().secrets;
    let rotated = admin.rotate_secrets(&Empty {}).await.unwrap();
    assert_eq!((rotated.sealed, rotated.left), (120, 0));
    assert_ne!(rotated.key, before[0].key);
    let keys = house.folder.path().join(SYSTEM_NAME).join("secrets.keys");
    let text = fs::read_to_string(&keys).unwrap();
    assert!(text.starts_with(&rotated.key) && text.lines().count() == 1);
    house.process.kill();
    house.process = start(&house.folder);
    let admin = house.admin();
    let after = admin.list_secrets(&Empty {}).await.unwrap().secrets;
    assert!(
        after
            .iter()
            .all(|s| s.key == rotated.key && s.revision == 1)
    );
    for n in 0..120 {
        assert_eq!(read(&admin, &format!("s{n}")).await.1, format!("value {n}"));
    }
}

#[tokio::test]
async fn with_its_keys_lost_security_starts_and_says_which_secrets_are_lost() {
    let mut house = house();
    house.admin().put_secret(&put("db", VALUE)).await.unwrap();
    house.process.kill();
    fs::remove_file(house.folder.path().join(SYSTEM_NAME).join("secrets.keys")).unwrap();
    house.process = start(&house.folder);
    let admin = house.admin();
    let lost = admin.get_secret(&get("db")).await;
    check_refused(lost, Code::Internal, reason::SECRET_SEALED);
    let rotated = admin.rotate_secrets(&Empty {}).await.unwrap();
    assert_eq!((rotated.sealed, rotated.left), (0, 1));
    assert_eq!(
        admin.put_secret(&put("db", VALUE)).await.unwrap().revision,
        2
    );
    assert_eq!(read(&admin, "db").await, (2, VALUE.to_owned()));
}
