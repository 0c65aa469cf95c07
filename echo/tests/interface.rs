//! The lib's client against the real binaries.

use chassis::testing::{Start, check_uniform_service};
use echo::{ECHO_PROCEDURE, EchoArgs, EchoClient, EchoReply, VERSION_METADATA};
use rpc::{Access, CallOptions, Code, Codec};

const V1: &str = env!("CARGO_BIN_EXE_server_v1");
const V2: &str = env!("CARGO_BIN_EXE_server_v2");

fn hi() -> EchoArgs {
    EchoArgs {
        message: "hi".into(),
    }
}

#[tokio::test]
async fn both_servers_are_uniform_services() {
    for binary in [V1, V2] {
        check_uniform_service(binary, echo::SYSTEM_NAME, echo::SYSTEM_ADDRESS).await;
    }
}

#[tokio::test]
async fn echo_answers_with_what_it_was_sent_in_both_codecs() {
    let server = Start::binary(V1).ready();
    let client = EchoClient::new(server.channel());
    assert_eq!(client.echo(&hi()).await.unwrap().message, "hi");
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    assert_eq!(
        client.with(options).echo(&hi()).await.unwrap().message,
        "hi"
    );
}

#[tokio::test]
async fn version_2_says_so_beside_its_reply_and_version_1_does_not() {
    for (binary, version) in [(V1, None), (V2, Some("2.0.0"))] {
        let server = Start::binary(binary).ready();
        let reply = server
            .channel()
            .call_with_metadata::<_, EchoReply>(
                ECHO_PROCEDURE,
                Access::Read,
                &hi(),
                &CallOptions::default(),
            )
            .await
            .unwrap();
        assert_eq!(reply.value.message, "hi");
        assert_eq!(reply.metadata.text(VERSION_METADATA), version);
    }
}

#[tokio::test]
async fn a_payload_that_is_none_is_refused_with_the_reason() {
    let server = Start::binary(V1).ready();
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let error = server
        .channel()
        .call::<rpc::Empty, EchoReply>(ECHO_PROCEDURE, Access::Read, &rpc::Empty {}, &options)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BadPayload);
    assert!(error.message.contains("message"), "{}", error.message);
}

#[test]
fn the_command_line_client_prints_reply_version_and_latency() {
    let server = Start::binary(V2).ready();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_client"))
        .args(["--message", "good day", "--count", "2"])
        .args(["--address", &server.address().to_string()])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.starts_with("good day\t2.0.0\t"), "{text}");
}

#[test]
fn the_command_line_client_says_what_to_do_when_nobody_is_there() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_client"))
        .args(["--address", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("127.0.0.1:1"), "{text}");
}
