//! Our rpc, as any service uses it: typed, with deadlines, cancellation and flow control.

use std::net::SocketAddr;

use bytes::Bytes;
use rpc::{Channel, Context, Deserializable, Error, Serializable, Server};
use tokio::net::TcpListener;

use crate::Failure;
use crate::calls::Caller;

/// What is echoed, there and back.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub(crate) struct Parcel {
    /// The payload.
    pub(crate) payload: Bytes,
}

rpc::service! {
    /// Echoes, to be measured.
    trait Echo, client EchoClient, dispatch EchoDispatch, name "benchmark";
    /// Sends back what it was sent.
    read 9001 ECHO_PROCEDURE echo(Parcel) -> Parcel;
}

struct Echoing;

impl Echo for Echoing {
    async fn echo(&self, _: &Context, parcel: Parcel) -> Result<Parcel, Error> {
        Ok(parcel)
    }
}

/// Echoes, for as long as the process runs.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let server = Server::new(EchoClient::SERVICE, env!("CARGO_PKG_VERSION"));
    let running = server.service(EchoDispatch::new(Echoing)).serve(listener)?;
    std::future::pending::<()>().await;
    drop(running);
    Ok(())
}

/// A client of one server; it connects with its first call.
pub(crate) fn connect(address: SocketAddr) -> EchoClient {
    EchoClient::new(Channel::to(address))
}

impl Caller for EchoClient {
    async fn call(&self, payload: Bytes) -> Result<usize, Failure> {
        Ok(self.echo(&Parcel { payload }).await?.payload.len())
    }
}
