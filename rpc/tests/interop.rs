//! The cases of gRPC's interoperability suite that apply, one to one, and who may call what.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{
    Blob, Flood, LabClient, LabDispatch, Millis, Speech, TestLab, client, start, until, within,
};
use rpc::{
    Access, CallOptions, Channel, Code, Context, Empty, Error, Guard, Metadata, Procedure, Server,
};

#[tokio::test]
async fn empty_unary_and_large_unary() {
    let (server, _) = start().await;
    let client = client(&server);
    for len in [0, 271_828, 3_141_590] {
        let blob = Blob {
            bytes: Bytes::from(vec![5; len]),
        };
        assert!(client.echo(&blob).await.expect("an echo") == blob);
    }
}

#[tokio::test]
async fn cancel_after_begin() {
    let (server, seen) = start().await;
    let client = client(&server);
    let begun = client.clone();
    let call = tokio::spawn(async move { begun.sleep(&Millis { ms: 60_000 }).await });
    until("the handler runs", || seen.started.load(SeqCst) == 1).await;
    call.abort();
    until("the handler is dropped", || seen.dropped.load(SeqCst) == 1).await;
    client.echo(&Blob::default()).await.expect("still serves");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn cancel_after_first_response() {
    let (server, seen) = start().await;
    let client = client(&server);
    let endless = Flood {
        items: u64::MAX,
        bytes_each: 31_415,
    };
    let mut stream = client.flood(&endless).await.expect("a stream");
    stream.next().await.expect("an item").expect("an item");
    drop(stream);
    until("the handler is dropped", || seen.dropped.load(SeqCst) == 1).await;
    client.echo(&Blob::default()).await.expect("still serves");
}

#[tokio::test]
async fn timeout_on_sleeping_server() {
    let (server, _) = start().await;
    let client = client(&server).with(within(100));
    let start = Instant::now();
    let endless = Flood {
        items: u64::MAX,
        bytes_each: 1 << 20,
    };
    let mut stream = client.flood(&endless).await.expect("a stream");
    let error = loop {
        match stream.next().await.expect("it ends with a reason") {
            Ok(_) => {}
            Err(e) => break e,
        }
    };
    assert_eq!(error.code, Code::DeadlineExceeded);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert!(stream.next().await.is_none(), "an end is told once");
}

#[tokio::test]
async fn status_code_and_message_and_special_status_message() {
    let (server, _) = start().await;
    let client = client(&server);
    for message in [
        "test status message",
        "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
    ] {
        let speech = Speech {
            error: message.to_owned(),
            metadata_bytes: 0,
        };
        let error = client.speak(&speech).await.expect_err("as told");
        assert_eq!(
            (error.code, &*error.reason),
            (Code::InvalidArgument, "told-to")
        );
        assert_eq!(error.message, message);
    }
}

#[tokio::test]
async fn custom_metadata() {
    let (server, _) = start().await;
    let channel = Channel::to(server.address());
    for value in [
        &b"test_initial_metadata_value"[..],
        &[0xab, 0xab, 0xab, 0, 10],
        b"",
    ] {
        let mut metadata = Metadata::new();
        metadata.set("x-said", Bytes::copy_from_slice(value));
        let options = CallOptions {
            metadata,
            ..CallOptions::default()
        };
        let reply: rpc::Reply<Empty> = channel
            .call_with_metadata(
                common::SPEAK_PROCEDURE,
                Access::Read,
                &Speech::default(),
                &options,
            )
            .await
            .expect("an answer");
        assert_eq!(reply.metadata.get("x-heard").map(|v| &v[..]), Some(value));
    }
}

#[tokio::test]
async fn unimplemented_method_of_a_stream_and_a_procedure_of_another_shape() {
    let (server, _) = start().await;
    let channel = Channel::to(server.address());
    let options = within(2_000);
    let mut stream = channel
        .open::<_, Empty>(4_242, &Empty {}, &options)
        .await
        .expect("opened");
    let error = stream
        .next()
        .await
        .expect("an end")
        .expect_err("nobody has it");
    assert_eq!(error.code, Code::UnknownProcedure);
    let echo = common::ECHO_PROCEDURE;
    let mut stream = channel
        .open::<_, Blob>(echo, &Blob::default(), &options)
        .await
        .expect("opened");
    let error = stream
        .next()
        .await
        .expect("an end")
        .expect_err("not a stream");
    assert_eq!(&*error.reason, "wrong-shape");
    let flood = Flood {
        items: 3,
        bytes_each: 1,
    };
    let error = channel
        .call::<_, Empty>(common::FLOOD_PROCEDURE, Access::Read, &flood, &options)
        .await
        .expect_err("not one answer");
    assert_eq!(&*error.reason, "wrong-shape");
}

#[tokio::test]
async fn channel_soak_ten_thousand_calls_with_reconnects() {
    let (mut server, _) = start().await;
    let address = server.address();
    let client = client(&server).with(CallOptions {
        wait_for_ready: true,
        ..within(5_000)
    });
    for n in 0..10_000_u32 {
        if n % 1_000 == 999 {
            drop(server);
            server = loop {
                let next = Server::new("lab", "1").service(LabDispatch::new(TestLab::default()));
                match next.listen(address).await {
                    Ok(running) => break running,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
        }
        let blob = Blob {
            bytes: Bytes::copy_from_slice(&n.to_le_bytes()),
        };
        assert_eq!(client.echo(&blob).await.expect("an echo"), blob, "call {n}");
    }
}

/// Lets only those in who know the word.
struct Doorkeeper(Arc<AtomicU64>);

impl Guard for Doorkeeper {
    fn check(&self, context: &Context, procedure: &Procedure) -> Result<(), Error> {
        self.0.fetch_add(1, SeqCst);
        if context.metadata().text("word") == Some("sesame") {
            return Ok(());
        }
        let message = format!("{} is not for everybody", procedure.name);
        Err(Error::new(Code::PermissionDenied, "no-word", message))
    }
}

#[tokio::test]
async fn a_guard_refuses_a_call_before_its_payload_is_read_and_its_handler_runs() {
    let lab = TestLab::default();
    let (seen, asked) = (Arc::clone(&lab.0), Arc::new(AtomicU64::new(0)));
    let server = Server::new("lab", "1")
        .guard(Doorkeeper(Arc::clone(&asked)))
        .service(LabDispatch::new(lab));
    let server = server
        .listen(([127, 0, 0, 1], 0).into())
        .await
        .expect("a free port");
    let channel = Channel::to(server.address());
    // Every procedure, the built-in ones and streams too, with a payload that none can read.
    let junk = Blob {
        bytes: Bytes::from_static(&[0xff; 300]),
    };
    let procedures = server.procedures();
    assert!(procedures.contains(&rpc::DRAIN_PROCEDURE));
    for procedure in &procedures {
        let error = channel
            .call::<_, Empty>(*procedure, Access::Write, &junk, &within(2_000))
            .await
            .expect_err("no word was given");
        assert_eq!(
            (error.code, &*error.reason),
            (Code::PermissionDenied, "no-word")
        );
    }
    assert_eq!(asked.load(SeqCst), procedures.len() as u64);
    assert_eq!(seen.started.load(SeqCst), 0);
    let mut metadata = Metadata::new();
    metadata.set("word", "sesame");
    let client = LabClient::new(channel).with(CallOptions {
        metadata,
        ..within(2_000)
    });
    client.count(&Millis { ms: 0 }).await.expect("let in");
}
