//! Discovery as a table of answers.

use std::net::SocketAddr;

use client::discovery;
use rpc::{Context, Empty, Error, StreamSender};

/// Discovery, in which one instance of echo is registered.
pub struct Directory {
    pub echo: SocketAddr,
}

impl discovery::Discovery for Directory {
    async fn register(
        &self,
        _: &Context,
        _: discovery::RegisterArgs,
        _: StreamSender<discovery::RegisterEvent>,
    ) -> Result<(), Error> {
        std::future::pending().await
    }

    async fn heartbeat(
        &self,
        _: &Context,
        _: discovery::HeartbeatArgs,
    ) -> Result<discovery::HeartbeatReply, Error> {
        Err(Error::invalid("lease-expired", "this fleet has no leases"))
    }

    async fn deregister(&self, _: &Context, _: discovery::DeregisterArgs) -> Result<Empty, Error> {
        Ok(Empty {})
    }

    async fn trust(
        &self,
        _: &Context,
        _: discovery::TrustArgs,
    ) -> Result<discovery::TrustReply, Error> {
        Ok(discovery::TrustReply { taken: true })
    }

    async fn query(
        &self,
        _: &Context,
        args: discovery::QueryArgs,
    ) -> Result<discovery::QueryReply, Error> {
        let registration = discovery::Registration {
            service: "echo".to_owned(),
            instance: "echo.0.1".to_owned(),
            address: self.echo.to_string(),
            version: "1.2.3".to_owned(),
            zone: String::new(),
            weight: 100,
            protocol: discovery::Protocol::Rpc,
            procedures: Vec::new(),
            labels: std::collections::BTreeMap::new(),
        };
        let echo = discovery::Instance {
            registration,
            epoch: 1,
            revision: 1,
        };
        let known = if args.service == "echo" {
            vec![echo]
        } else {
            Vec::new()
        };
        Ok(discovery::QueryReply {
            instances: known,
            position: position(),
        })
    }

    async fn list(&self, _: &Context, _: Empty) -> Result<discovery::ListReply, Error> {
        let summary = |service: &str| discovery::ServiceSummary {
            service: service.to_owned(),
            instances: 1,
        };
        Ok(discovery::ListReply {
            services: vec![summary("echo"), summary("scheduling")],
            position: position(),
        })
    }

    async fn watch(
        &self,
        _: &Context,
        _: discovery::WatchArgs,
        _: StreamSender<discovery::WatchEvent>,
    ) -> Result<(), Error> {
        std::future::pending().await
    }
}

fn position() -> discovery::Position {
    discovery::Position {
        incarnation: 1,
        revision: 1,
    }
}
