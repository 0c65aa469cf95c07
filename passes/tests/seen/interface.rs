//! The real binary on a port of its own.

use passes::{SYSTEM_ADDRESS, SYSTEM_NAME};

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_passes");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}
