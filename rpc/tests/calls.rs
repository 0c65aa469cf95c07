//! Calls: deadlines, cancellation, errors, and what one call may do to another (nothing).

mod common;

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Blob, Flood, LabClient, Millis, Where, client, start, start_with, until, within};
use rpc::{
    BuiltinClient, CallOptions, Channel, Code, Codec, Empty, Error, HealthState, Limits, Retry,
};

#[tokio::test]
async fn many_calls_share_one_connection_and_each_gets_its_own_answer() {
    let (server, _) = start().await;
    let client = client(&server);
    let calls: Vec<_> = (0..1_000_u32)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let bytes = Bytes::copy_from_slice(&n.to_le_bytes().repeat(1 + n as usize % 50));
                let reply = client
                    .echo(&Blob {
                        bytes: bytes.clone(),
                    })
                    .await
                    .expect("an echo");
                assert_eq!(reply.bytes, bytes);
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no assertion failed");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn payloads_from_nothing_to_megabytes_arrive_unchanged() {
    let (server, _) = start().await;
    let client = client(&server);
    for len in [0, 1, 63, 4096, 65_535, 65_536, 1 << 20, (4 << 20) - 100] {
        let bytes = Bytes::from((0..len).map(|i| i as u8).collect::<Vec<_>>());
        let reply = client
            .echo(&Blob {
                bytes: bytes.clone(),
            })
            .await
            .expect("an echo");
        assert!(reply.bytes == bytes, "{len} bytes came back changed");
    }
}

#[tokio::test]
async fn a_deadline_is_kept_to_within_50_ms_and_the_handler_is_dropped() {
    let (server, seen) = start().await;
    let client = client(&server).with(within(100));
    let start = Instant::now();
    let error = client
        .sleep(&Millis { ms: 60_000 })
        .await
        .expect_err("too slow");
    let took = start.elapsed();
    assert_eq!(error.code, Code::DeadlineExceeded);
    assert!(
        took >= Duration::from_millis(99),
        "gave up early, after {took:?}"
    );
    assert!(
        took < Duration::from_millis(250),
        "gave up late, after {took:?}"
    );
    until("the handler is dropped", || seen.dropped.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn dropping_a_call_reaches_the_handler_three_hops_away() {
    let (first, seen_first) = start().await;
    let (second, seen_second) = start().await;
    let (third, seen_third) = start().await;
    // first forwards to second; second's `sleep` stands for the far end of another pair.
    let _ = &third;
    let client = client(&first);
    let address = second.address().to_string();
    let call = tokio::spawn(async move {
        client
            .forward(&Where {
                address,
                ms: 60_000,
            })
            .await
    });
    until("the far handler runs", || {
        seen_second.started.load(SeqCst) == 1
    })
    .await;
    call.abort();
    until("the near handler is dropped", || {
        seen_first.dropped.load(SeqCst) == 1
    })
    .await;
    until("the far handler is dropped", || {
        seen_second.dropped.load(SeqCst) == 1
    })
    .await;
    assert_eq!(seen_third.started.load(SeqCst), 0);
}

#[tokio::test]
async fn a_deadline_travels_and_shrinks() {
    let (server, _) = start().await;
    let client = client(&server);
    let left = client
        .with(within(5_000))
        .remaining(&Empty {})
        .await
        .expect("an answer")
        .ms;
    assert!(
        (4_000..=5_010).contains(&left),
        "{left} ms are left of 5000"
    );
    let deadline = Some(Instant::now() + Duration::from_millis(2_000));
    let options = CallOptions {
        deadline,
        ..within(5_000)
    };
    let left = client
        .with(options)
        .remaining(&Empty {})
        .await
        .expect("an answer")
        .ms;
    assert!(
        (1_000..=2_010).contains(&left),
        "{left} ms are left of 2000"
    );
}

#[tokio::test]
async fn a_hundred_thousand_timed_out_calls_leave_nothing_behind() {
    let (server, seen) = start().await;
    let client = client(&server).with(within(1));
    for _ in 0..100 {
        let calls: Vec<_> = (0..1_000)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.sleep(&Millis { ms: 60_000 }).await })
            })
            .collect();
        for call in calls {
            let error = call
                .await
                .expect("no panic")
                .expect_err("a millisecond is too short");
            assert_eq!(error.code, Code::DeadlineExceeded, "{error:?}");
        }
    }
    until("every handler that started was dropped", || {
        seen.started.load(SeqCst) == seen.dropped.load(SeqCst)
    })
    .await;
    let patient = client.with(CallOptions::default());
    patient
        .echo(&Blob::default())
        .await
        .expect("the connection still serves");
}

#[tokio::test]
async fn a_panicking_handler_ends_its_call_and_nothing_else() {
    let (server, _) = start().await;
    let client = client(&server);
    let other = client.clone();
    let slow = tokio::spawn(async move { other.sleep(&Millis { ms: 100 }).await });
    let error = client.panic(&Empty {}).await.expect_err("it panics");
    assert_eq!((error.code, &*error.reason), (Code::Internal, "panic"));
    slow.await
        .expect("no panic here")
        .expect("the other call goes on");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_unknown_procedure_is_named_and_the_connection_goes_on() {
    let (server, _) = start().await;
    let channel = Channel::to(server.address());
    let options = CallOptions::default();
    let error = channel
        .call::<_, Empty>(4_242, rpc::Access::Read, &Empty {}, &options)
        .await
        .expect_err("nobody has it");
    assert_eq!(
        (error.code, &*error.reason),
        (Code::UnknownProcedure, "unknown-procedure")
    );
    assert!(
        error.message.contains("4242") && error.message.contains("lab"),
        "{error}"
    );
    assert!(error.hint.contains("orrery describe"), "{}", error.hint);
    LabClient::new(channel)
        .echo(&Blob::default())
        .await
        .expect("still serves");
}

#[tokio::test]
async fn a_payload_of_the_wrong_type_is_refused_and_other_calls_are_not_touched() {
    let (server, _) = start().await;
    let channel = Channel::to(server.address());
    let wrong = Blob {
        bytes: Bytes::from_static(&[0xff; 9]),
    };
    let error = channel
        .call::<_, Empty>(
            common::SLEEP_PROCEDURE,
            rpc::Access::Read,
            &wrong,
            &within(1_000),
        )
        .await
        .expect_err("bytes are not milliseconds");
    assert_eq!(error.code, Code::BadPayload, "{error:?}");
    assert!(error.message.contains("9102"), "{error}");
    LabClient::new(channel)
        .echo(&Blob::default())
        .await
        .expect("still serves");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_is_too_large_to_send_is_refused_here_and_there() {
    let (server, _) = start().await;
    let client = client(&server);
    let huge = Blob {
        bytes: Bytes::from(vec![0; 5 << 20]),
    };
    let error = client.echo(&huge).await.expect_err("over the frame limit");
    assert_eq!(
        (error.code, &*error.reason),
        (Code::TooLarge, "frame-too-large")
    );
    let error = client
        .fill(&Millis { ms: 5 << 20 })
        .await
        .expect_err("the answer is too large");
    assert_eq!(error.code, Code::TooLarge, "{error:?}");
    client.echo(&Blob::default()).await.expect("still serves");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn too_many_calls_in_flight_are_refused_and_may_be_tried_again() {
    let (server, seen) = start_with(Limits {
        calls_max: 10,
        ..Limits::default()
    })
    .await;
    let client = client(&server);
    let slow: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.sleep(&Millis { ms: 5_000 }).await })
        })
        .collect();
    until("ten handlers run", || seen.started.load(SeqCst) == 10).await;
    let error = client
        .sleep(&Millis { ms: 1 })
        .await
        .expect_err("the eleventh");
    assert_eq!(
        (error.code, error.retry),
        (Code::ResourceExhausted, Retry::Safe)
    );
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    until("all were cancelled", || seen.dropped.load(SeqCst) == 10).await;
    client.sleep(&Millis { ms: 1 }).await.expect("room again");
}

#[tokio::test]
async fn any_procedure_can_be_called_in_json() {
    let (server, _) = start().await;
    let channel = Channel::to(server.address());
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let args = serde_json::json!({ "ms": 3 });
    let id = common::FILL_PROCEDURE;
    let reply: serde_json::Value = channel
        .call(id, rpc::Access::Read, &args, &options)
        .await
        .expect("an answer");
    assert_eq!(reply, serde_json::json!({ "bytes": [1, 1, 1] }));
    let wrong = serde_json::json!({ "millis": 3 });
    let error: Error = channel
        .call::<_, serde_json::Value>(id, rpc::Access::Read, &wrong, &options)
        .await
        .expect_err("a field is missing");
    assert!(error.message.contains("missing field `ms`"), "{error}");
}

#[tokio::test]
async fn every_server_says_how_it_is_what_it_can_do_and_what_it_has_done() {
    let (server, _) = start().await;
    let lab = client(&server);
    lab.echo(&Blob::default()).await.expect("an echo");
    let builtin = BuiltinClient::new(Channel::to(server.address()));
    let health = builtin.health(&Empty {}).await.expect("health");
    assert_eq!((health.state, &*health.name), (HealthState::Serving, "lab"));
    server.set_health(HealthState::Failing);
    let health = builtin.health(&Empty {}).await.expect("health");
    assert_eq!(health.state, HealthState::Failing);

    let description = builtin.describe(&Empty {}).await.expect("a description");
    let echo = description
        .procedures
        .iter()
        .find(|p| p.id == 9101)
        .expect("echo is listed");
    assert_eq!(
        (&*echo.name, &*echo.access, echo.stream),
        ("echo", "read", false)
    );
    assert_eq!(echo.about, "Answers with the same bytes.");
    let schema: serde_json::Value = serde_json::from_str(&echo.arguments).expect("a schema");
    assert!(schema["properties"]["bytes"].is_object(), "{schema}");
    assert!(
        description
            .procedures
            .iter()
            .any(|p| p.id == 9105 && p.stream)
    );
    assert!(
        description.procedures.iter().any(|p| p.id == 1),
        "built-in ones are listed too"
    );

    let metrics = builtin.metrics(&Empty {}).await.expect("metrics").text;
    let line = "rpc_calls_total{id=\"9101\",procedure=\"echo\",outcome=\"succeeded\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_stream_arrives_whole_and_in_order_at_the_pace_of_its_reader() {
    let (server, seen) = start().await;
    let client = client(&server);
    let flood = Flood {
        items: 2_000,
        bytes_each: 10_000,
    };
    let mut stream = client.flood(&flood).await.expect("a stream");
    let mut items = 0;
    while let Some(item) = stream.next().await {
        assert_eq!(item.expect("an item").bytes.len(), 10_000);
        items += 1;
    }
    assert_eq!(items, 2_000);
    until("the handler ended by itself", || {
        seen.finished.load(SeqCst) == 1
    })
    .await;
}

#[tokio::test]
async fn a_stream_nobody_reads_costs_a_window_and_stops_nobody_else() {
    let (server, seen) = start().await;
    let client = client(&server);
    let flood = Flood {
        items: 1_000_000,
        bytes_each: 1_000,
    };
    let unread = client.flood(&flood).await.expect("a stream");
    let window = u64::from(Limits::default().stream_window_bytes);
    until("the sender has used up its window", || {
        (seen.items_sent.load(SeqCst) + 1) * 1_027 >= window
    })
    .await;
    let mut read = client
        .flood(&Flood {
            items: 5_000,
            ..flood
        })
        .await
        .expect("another stream");
    let mut items = 0;
    while let Some(item) = read.next().await {
        item.expect("an item");
        items += 1;
        if items % 1_000 == 0 {
            client
                .echo(&Blob::default())
                .await
                .expect("unary calls go on");
        }
    }
    assert_eq!(items, 5_000);
    let sent = (seen.items_sent.load(SeqCst) - 5_000) * 1_027;
    assert!(
        sent <= window + 2_000,
        "{sent} bytes were sent into a window of {window}"
    );
    drop(unread);
    until("the sender of the unread one was told", || {
        seen.dropped.load(SeqCst) == 1
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_streams_share_a_connection_and_one_unread_one_stops_none() {
    let (server, _) = start().await;
    let client = client(&server);
    let endless = Flood {
        items: u64::MAX,
        bytes_each: 100_000,
    };
    let _unread = client.flood(&endless).await.expect("a stream");
    let mut streams = Vec::new();
    for _ in 0..10_000 {
        streams.push(
            client
                .flood(&Flood {
                    items: 2,
                    bytes_each: 10,
                })
                .await
                .expect("a stream"),
        );
    }
    for mut stream in streams {
        let mut items = 0;
        while let Some(item) = stream.next().await {
            item.expect("an item");
            items += 1;
        }
        assert_eq!(items, 2);
    }
}
