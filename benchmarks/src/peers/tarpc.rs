//! tarpc, as it comes, with its bincode transport over TCP.

use std::net::SocketAddr;

use ::tarpc::server::{BaseChannel, Channel};
use ::tarpc::tokio_serde::formats::Bincode;
use ::tarpc::{client, context, serde_transport};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::LengthDelimitedCodec;

use crate::Failure;
use crate::calls::Caller;

#[::tarpc::service]
pub(crate) trait Echo {
    async fn echo(payload: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Echoing;

impl Echo for Echoing {
    async fn echo(self, _: context::Context, payload: Bytes) -> Bytes {
        payload
    }
}

/// Echoes, for as long as the process runs.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let frames = LengthDelimitedCodec::builder().new_framed(stream);
        let channel = BaseChannel::with_defaults(serde_transport::new(frames, Bincode::default()));
        tokio::spawn(channel.execute(Echoing.serve()).for_each(|answer| async {
            tokio::spawn(answer);
        }));
    }
}

/// A client with one connection.
pub(crate) async fn connect(address: SocketAddr) -> Result<EchoClient, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let frames = LengthDelimitedCodec::builder().new_framed(stream);
    let transport = serde_transport::new(frames, Bincode::default());
    Ok(EchoClient::new(client::Config::default(), transport).spawn())
}

impl Caller for EchoClient {
    async fn call(&self, payload: Bytes) -> Result<usize, Failure> {
        Ok(self.echo(context::current(), payload).await?.len())
    }
}
