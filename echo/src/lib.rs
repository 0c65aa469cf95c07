//! Answers with what it was sent: the smallest service, and the one that shows how they are made.
//!
//! The message is text, so that anybody can call it by hand:
//! `orrery call echo echo '{"message":"hi"}'`.
//!
//! There are two servers of it, `server_v1` and `server_v2`, so that there is something to roll
//! out. They answer the same; version 2 says [`VERSION_METADATA`] beside its reply.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use echo::{Echo, EchoArgs, EchoClient, EchoDispatch, EchoReply};
//!
//! struct Parrot;
//! impl Echo for Parrot {
//!     async fn echo(&self, _: &rpc::Context, args: EchoArgs) -> Result<EchoReply, rpc::Error> {
//!         Ok(EchoReply { message: args.message })
//!     }
//! }
//!
//! let server = rpc::Server::new(echo::SYSTEM_NAME, "1").service(EchoDispatch::new(Parrot));
//! let running = server.listen("127.0.0.1:0".parse()?).await?;
//! let client = EchoClient::new(rpc::Channel::to(running.address()));
//! let reply = client.echo(&EchoArgs { message: "hi".into() }).await?;
//! assert_eq!(reply.message, "hi");
//! # Ok(())
//! # }
//! ```

use rpc::{Deserializable, Serializable};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "echo";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10100";
/// The name under which version 2 says its version beside its reply.
pub const VERSION_METADATA: &str = "version";

/// Arguments of `echo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct EchoArgs {
    /// What to say.
    pub message: String,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct EchoReply {
    /// The same.
    pub message: String,
}

rpc::service! {
    /// Answers with what it was sent.
    trait Echo, client EchoClient, dispatch EchoDispatch, name SYSTEM_NAME;
    /// Says it again.
    read 101 ECHO_PROCEDURE echo(EchoArgs) -> EchoReply;
}
