//! What a name means.

use client::Service;
use rpc::{Context, Deserializable, Empty, Error, Serializable, Server};

/// How the fleet is.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Fleet {
    /// How many are up.
    pub up: u32,
}

rpc::service! {
    /// Has a procedure of a built-in one's name.
    trait Watcher, client WatcherClient, dispatch WatcherDispatch, name "watcher";
    /// How the fleet is.
    read 9501 FLEET_HEALTH_PROCEDURE health(Empty) -> Fleet;
}

struct Eyes;

impl Watcher for Eyes {
    async fn health(&self, _: &Context, _: Empty) -> Result<Fleet, Error> {
        Ok(Fleet { up: 3 })
    }
}

#[tokio::test]
async fn a_services_own_procedure_is_meant_before_a_built_in_one() {
    let server = Server::new("watcher", "1").service(WatcherDispatch::new(Eyes));
    let running = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let service = Service::at("watcher", running.address(), Default::default())
        .await
        .unwrap();
    let named = service.procedure("health").unwrap();
    assert_eq!(named.id, FLEET_HEALTH_PROCEDURE);
    let answer = service.call(named, &serde_json::json!({})).await.unwrap();
    assert_eq!(answer["up"], 3);
    // The built-in one can be called by its number.
    assert_eq!(service.procedure("1").unwrap().name, "health");
    assert_eq!(service.procedure("describe").unwrap().id, 2);
}
