//! A real discovery, a real routing, and echoes that are as a test wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chassis::testing::{Process, Start, workspace_binary};
use discovery::{DiscoveryClient, Protocol, RegisterArgs, RegisterEvent, Registration};
use echo::{Echo, EchoArgs, EchoDispatch, EchoReply};
use routing::{RouteArgs, RouteReply, RoutingClient};
use rpc::{Channel, Code, Codec, Context, Deserializable, Error, Running, Serializable, Server};
use tempfile::TempDir;

pub(crate) struct Fleet {
    pub(crate) discovery: Process,
    pub(crate) routing: Process,
    pub(crate) folder: TempDir,
}

pub(crate) fn fleet() -> Fleet {
    let folder = tempfile::tempdir().unwrap();
    let discovery = Start::binary(&workspace_binary("discovery")).ready();
    let routing = start(&folder, &discovery);
    Fleet {
        discovery,
        routing,
        folder,
    }
}

pub(crate) fn start(folder: &TempDir, discovery: &Process) -> Process {
    Start::binary(env!("CARGO_BIN_EXE_routing"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_DISCOVERY", discovery.address())
        .ready()
}

/// What an echo does.
#[derive(Default)]
pub(crate) struct Nature {
    pub(crate) pause_ms: AtomicU64,
    pub(crate) fails: AtomicU32,
    pub(crate) calls: AtomicU64,
}

struct Acting(Arc<Nature>);

impl Echo for Acting {
    async fn echo(&self, context: &Context, args: EchoArgs) -> Result<EchoReply, Error> {
        self.0.calls.fetch_add(1, Relaxed);
        let pause = Duration::from_millis(self.0.pause_ms.load(Relaxed));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await; // why: a slow instance is what is played here
        }
        if self.0.fails.load(Relaxed) > 0 {
            return Err(Error::internal("told-to-fail", "this one is bad"));
        }
        if args.message == "mine" {
            return Err(Error::invalid("your-own", "this is the caller's fault").with_hint("h"));
        }
        if args.message == "token" {
            let token = context
                .metadata()
                .text(rpc::AUTHORIZATION)
                .unwrap_or_default();
            let message = token.to_owned();
            return Ok(EchoReply { message });
        }
        Ok(EchoReply {
            message: args.message,
        })
    }
}

/// An echo that discovery knows, until it is dropped.
pub(crate) struct Acted {
    pub(crate) nature: Arc<Nature>,
    _server: Running,
    _stream: rpc::Streaming<RegisterEvent>,
}

impl Fleet {
    pub(crate) fn client(&self) -> RoutingClient {
        RoutingClient::new(Channel::to(self.routing.address()))
    }

    pub(crate) async fn echo(&self, instance: &str, version: &str) -> Acted {
        let nature = Arc::new(Nature::default());
        let acting = Acting(Arc::clone(&nature));
        let server = Server::new("echo", "1").service(EchoDispatch::new(acting));
        let server = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let registration = Registration {
            service: "echo".to_owned(),
            instance: instance.to_owned(),
            address: server.address().to_string(),
            version: version.to_owned(),
            zone: String::new(),
            weight: 100,
            protocol: Protocol::Rpc,
            procedures: vec![101],
            labels: Default::default(),
        };
        let args = RegisterArgs {
            ttl_ms: 600_000,
            registration,
        };
        let client = DiscoveryClient::new(self.discovery.channel());
        let mut stream = client.register(&args).await.unwrap();
        stream.next().await.unwrap().unwrap();
        Acted {
            nature,
            _server: server,
            _stream: stream,
        }
    }
}

pub(crate) fn hello(message: &str) -> RouteArgs {
    let mut bytes = BytesMut::new();
    let args = EchoArgs {
        message: message.to_owned(),
    };
    args.encode(Codec::Bincode, &mut bytes).unwrap();
    RouteArgs {
        service: "echo".to_owned(),
        procedure: echo::ECHO_PROCEDURE,
        payload: bytes.freeze(),
        json: false,
        idempotent: true,
        hedge: false,
        key: String::new(),
    }
}

pub(crate) fn said(reply: &RouteReply) -> String {
    let payload: &Bytes = &reply.payload;
    EchoReply::decode(Codec::Bincode, payload).unwrap().message
}

pub(crate) fn check_refused<T: std::fmt::Debug>(
    result: Result<T, Error>,
    code: Code,
    reason: &str,
) {
    let error = result.expect_err(reason);
    assert_eq!(
        (error.code, error.reason.as_ref()),
        (code, reason),
        "{error}"
    );
    assert!(!error.hint.is_empty(), "{error:?}");
}
