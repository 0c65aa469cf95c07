//! The real binary on a port of its own.

use resource_scheduler::{SYSTEM_ADDRESS, SYSTEM_NAME};

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_resource-scheduler");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}
