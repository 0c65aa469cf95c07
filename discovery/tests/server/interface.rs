//! The lib's client against the real binary: each procedure, and each of its errors.

use crate::common::{
    DISCOVERY, client, discovery, eventually, heartbeat_args, instances, register,
};
use crate::common::{next, registration};
use chassis::testing::check_uniform_service;
use discovery::{
    DeregisterArgs, Lease, QueryArgs, REGISTER_PROCEDURE, RegisterArgs, RegisterEvent,
    Registration, SYSTEM_ADDRESS, SYSTEM_NAME, Which,
};
use rpc::{CallOptions, Code, Codec, Empty};

#[tokio::test]
async fn it_is_a_uniform_service() {
    check_uniform_service(DISCOVERY, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn it_needs_nobody_and_is_in_its_own_list_when_it_is_ready() {
    let server = discovery();
    let list = client(&server).list(&Empty {}).await.unwrap();
    assert_eq!(list.services.len(), 1);
    assert_eq!(list.services[0].service, SYSTEM_NAME);
    let itself = instances(&client(&server), SYSTEM_NAME).await;
    assert_eq!(itself[0].address(), Some(server.address()));
    assert_eq!(
        itself[0].registration.procedures,
        [201, 202, 203, 204, 205, 206, 207]
    );
}

#[tokio::test]
async fn who_registers_is_found_and_who_deregisters_is_not() {
    let server = discovery();
    let client = client(&server);
    let (mut stream, lease) = register(&client, registration("echo", "echo.0.1", 10), 5_000).await;
    let found = instances(&client, "echo").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].registration, registration("echo", "echo.0.1", 10));
    assert_eq!(found[0].epoch, lease.epoch);
    let args = heartbeat_args("echo", "echo.0.1", lease);
    let renewed = client.heartbeat(&args).await.unwrap();
    assert!(
        (4_000..=5_000).contains(&renewed.expires_in_ms),
        "{renewed:?}"
    );
    let farewell = DeregisterArgs {
        service: "echo".into(),
        instance: "echo.0.1".into(),
        lease,
    };
    client.deregister(&farewell).await.unwrap();
    assert!(stream.next().await.is_none(), "the stream ends well");
    assert!(instances(&client, "echo").await.is_empty());
    client
        .deregister(&farewell)
        .await
        .expect("twice is the same as once");
    let refused = client.heartbeat(&args).await.unwrap_err();
    assert_eq!(
        (refused.code, &*refused.reason),
        (Code::Conflict, "lease-expired")
    );
}

#[tokio::test]
async fn a_random_instance_is_one_of_those_that_want_calls() {
    let server = discovery();
    let client = client(&server);
    let idle = Registration {
        weight: 0,
        ..registration("echo", "a", 10)
    };
    let (_a, _) = register(&client, idle, 5_000).await;
    let args = QueryArgs {
        service: "echo".into(),
        which: Which::Random,
    };
    assert!(client.query(&args).await.unwrap().instances.is_empty());
    let (_b, _) = register(&client, registration("echo", "b", 11), 5_000).await;
    let drawn = client.query(&args).await.unwrap().instances;
    assert_eq!(drawn.len(), 1);
    assert_eq!(drawn[0].registration.instance, "b");
}

#[tokio::test]
async fn a_registration_that_makes_no_sense_is_refused_and_says_why() {
    let server = discovery();
    let client = client(&server);
    let bad = [
        (
            "service",
            Registration {
                service: String::new(),
                ..registration("", "a", 10)
            },
        ),
        (
            "address",
            Registration {
                address: "echo:80".into(),
                ..registration("echo", "a", 10)
            },
        ),
        (
            "version",
            Registration {
                version: "v".repeat(65),
                ..registration("echo", "a", 10)
            },
        ),
    ];
    for (field, registration) in bad {
        let args = RegisterArgs {
            registration,
            ttl_ms: 5_000,
        };
        let mut stream = client.register(&args).await.unwrap();
        let refused = next(&mut stream).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument);
        assert!(refused.message.contains(field), "{}", refused.message);
    }
}

#[tokio::test]
async fn in_json_only_the_essentials_need_to_be_said() {
    let server = discovery();
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let args = serde_json::json!({
        "registration": {"service": "echo", "instance": "a", "address": "127.0.0.1:10"},
        "ttl_ms": 1000,
    });
    let channel = server.channel();
    let mut stream = channel
        .open::<_, RegisterEvent>(REGISTER_PROCEDURE, &args, &options)
        .await
        .unwrap();
    next(&mut stream).await.unwrap();
    let found = instances(&client(&server), "echo").await;
    assert_eq!(found[0].registration.weight, 100);
    drop(stream);
    eventually("a stream that is let go ends the lease", async || {
        instances(&client(&server), "echo").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_discovery_never_gave_is_refused() {
    let server = discovery();
    let client = client(&server);
    let (_stream, lease) = register(&client, registration("echo", "a", 10), 5_000).await;
    let epoch = lease.epoch;
    let cases = [
        (
            "lease-replaced",
            Lease {
                epoch: epoch - 1,
                ..lease
            },
        ),
        (
            "lease-unknown",
            Lease {
                epoch: epoch + 1,
                ..lease
            },
        ),
        (
            "other-incarnation",
            Lease {
                incarnation: lease.incarnation ^ 1,
                ..lease
            },
        ),
    ];
    for (reason, wrong) in cases {
        let refused = client
            .heartbeat(&heartbeat_args("echo", "a", wrong))
            .await
            .unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::Conflict, reason));
    }
    client
        .heartbeat(&heartbeat_args("echo", "a", lease))
        .await
        .expect("the right one holds");
}
