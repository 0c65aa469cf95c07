//! gRPC by tonic, as it comes; what `protoc` would generate is written by hand.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::Failure;
use crate::calls::Caller;

const PATH: &str = "/benchmark.Echo/Echo";

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Parcel {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
}

#[derive(Clone)]
struct EchoServer;

impl NamedService for EchoServer {
    const NAME: &'static str = "benchmark.Echo";
}

impl Service<http::Request<Body>> for EchoServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Parcel, Parcel>::default());
            Ok(grpc.unary(Echo, request).await)
        })
    }
}

struct Echo;

impl Service<Request<Parcel>> for Echo {
    type Response = Response<Parcel>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Parcel>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}

/// Echoes, for as long as the process runs.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder()
        .add_service(EchoServer)
        .serve_with_incoming(incoming)
        .await?)
}

/// A client with one connection.
#[derive(Clone)]
pub(crate) struct Client(tonic::client::Grpc<Channel>);

/// Connects.
pub(crate) async fn connect(address: SocketAddr) -> Result<Client, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok(Client(tonic::client::Grpc::new(endpoint.connect().await?)))
}

impl Caller for Client {
    async fn call(&self, payload: Bytes) -> Result<usize, Failure> {
        let mut grpc = self.0.clone();
        grpc.ready().await?;
        let path = PathAndQuery::from_static(PATH);
        let codec = ProstCodec::<Parcel, Parcel>::default();
        let answer = grpc.unary(Request::new(Parcel { payload }), path, codec);
        Ok(answer.await?.into_inner().payload.len())
    }
}
