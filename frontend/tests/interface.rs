//! The real binary on a port of its own.

use chassis::testing::{Start, check_uniform_service, http_get};
use frontend::{SYSTEM_ADDRESS, SYSTEM_NAME};

const BINARY: &str = env!("CARGO_BIN_EXE_frontend");

#[tokio::test]
async fn it_is_a_uniform_service() {
    check_uniform_service(BINARY, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn pages_and_procedures_share_one_port() {
    let frontend = Start::binary(BINARY).ready();
    let (status, body) = http_get(frontend.address(), "/").await;
    assert_eq!(
        (status, body.as_str()),
        (200, "the gateway of this fleet; it has no routes yet\n")
    );
    assert_eq!(http_get(frontend.address(), "/nowhere").await.0, 404);
    let health = frontend.builtin().health(&rpc::Empty {}).await.unwrap();
    assert_eq!(health.name, SYSTEM_NAME);
}
