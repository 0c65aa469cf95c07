//! What is compared: raw frames, our rpc, and two peers, each as a server and a client.

#[cfg(feature = "peers")]
mod grpc;
mod ours;
mod raw;
#[cfg(feature = "peers")]
mod tarpc;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::Failure;
use crate::calls::{Caller, Outcome, Work, closed_loop, open_loop};

/// What a child serves, and a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Length-delimited frames, sent back as they came: the ceiling.
    Raw,
    /// Our rpc.
    Ours,
    /// gRPC by tonic.
    #[cfg(feature = "peers")]
    Tonic,
    /// tarpc with bincode over TCP.
    #[cfg(feature = "peers")]
    Tarpc,
}

/// What all tables are about.
pub(crate) const VERSIONS: &str = if cfg!(feature = "peers") {
    "Peers: tonic 0.14 with prost 0.14, tarpc 0.38 with bincode 1 over TCP, both as they come. Raw \
     is tokio with tokio-util's `LengthDelimitedCodec`: frames echoed, and nothing else.\n"
} else {
    "Built without the feature `peers`: raw and ours only.\n"
};

impl Role {
    /// Its name on the command line and in tables.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Echoes, for as long as the process runs.
    ///
    /// # Errors
    /// If the listener fails.
    pub(crate) async fn serve(self, listener: TcpListener) -> Result<(), Failure> {
        match self {
            Self::Raw => raw::serve(listener).await,
            Self::Ours => ours::serve(listener).await,
            #[cfg(feature = "peers")]
            Self::Tonic => grpc::serve(listener).await,
            #[cfg(feature = "peers")]
            Self::Tarpc => tarpc::serve(listener).await,
        }
    }

    /// Does `work` on one new connection.
    ///
    /// # Errors
    /// If the connection or a call fails.
    pub(crate) async fn load(self, address: SocketAddr, work: Work) -> Result<Outcome, Failure> {
        match self {
            Self::Raw => raw::load(address, work).await,
            Self::Ours => drive(ours::connect(address), work).await,
            #[cfg(feature = "peers")]
            Self::Tonic => drive(grpc::connect(address).await?, work).await,
            #[cfg(feature = "peers")]
            Self::Tarpc => drive(tarpc::connect(address).await?, work).await,
        }
    }

    /// A new connection for single calls.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) async fn connect(self, address: SocketAddr) -> Result<Connection, Failure> {
        Ok(match self {
            Self::Raw => Connection::Raw(raw::connect(address).await?),
            Self::Ours => Connection::Ours(ours::connect(address)),
            #[cfg(feature = "peers")]
            Self::Tonic => Connection::Tonic(grpc::connect(address).await?),
            #[cfg(feature = "peers")]
            Self::Tarpc => Connection::Tarpc(tarpc::connect(address).await?),
        })
    }
}

async fn drive<C: Caller>(caller: C, work: Work) -> Result<Outcome, Failure> {
    match work {
        Work::Closed {
            in_flight,
            payload,
            lasting,
        } => closed_loop(caller, in_flight, payload, lasting).await,
        Work::Open {
            per_second,
            payload,
            lasting,
        } => open_loop(caller, per_second, payload, lasting).await,
    }
}

/// An open connection of any kind.
pub(crate) enum Connection {
    Raw(raw::Frames),
    Ours(ours::EchoClient),
    #[cfg(feature = "peers")]
    Tonic(grpc::Client),
    #[cfg(feature = "peers")]
    Tarpc(tarpc::EchoClient),
}

impl Connection {
    /// One call; it has to be answered in ten seconds.
    ///
    /// # Errors
    /// If it is not, or not with what was sent.
    pub(crate) async fn call(&mut self, payload: Bytes) -> Result<(), Failure> {
        let expected = payload.len();
        let call = async {
            match self {
                Self::Raw(frames) => raw::call(frames, payload).await,
                Self::Ours(client) => client.call(payload).await,
                #[cfg(feature = "peers")]
                Self::Tonic(client) => client.call(payload).await,
                #[cfg(feature = "peers")]
                Self::Tarpc(client) => client.call(payload).await,
            }
        };
        let length = tokio::time::timeout(Duration::from_secs(10), call).await??;
        if length != expected {
            return Err(format!("{expected} bytes were echoed as {length}").into());
        }
        Ok(())
    }
}
