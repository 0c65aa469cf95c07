//! A server without file descriptors. Alone in its file: the limit holds for the whole process.

mod common;

use std::time::Duration;

use common::{Blob, client, start};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

#[tokio::test]
async fn a_server_that_runs_out_of_descriptors_goes_on_when_there_are_some_again() {
    let (server, _) = start().await;
    let early = client(&server);
    early
        .echo(&Blob::default())
        .await
        .expect("a connection made early");
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(64),
            maximum,
        },
    )
    .expect("a lower limit");
    // Both ends are in this process: the client's `connect` or the server's `accept` fails.
    let mut open = Vec::new();
    while let Ok(Ok(stream)) = timeout(
        Duration::from_millis(500),
        TcpStream::connect(server.address()),
    )
    .await
    {
        open.push(stream);
    }
    assert!(open.len() > 10, "only {} connections were made", open.len());
    early
        .echo(&Blob::default())
        .await
        .expect("connections that exist are served");
    drop(open);
    let fresh = client(&server);
    let mut tries = 0;
    while let Err(e) = fresh.echo(&Blob::default()).await {
        tries += 1;
        assert!(tries < 100, "the server accepts nothing any more: {e}");
        sleep(Duration::from_millis(20)).await; // why: waits for the server to try again
    }
}
