//! A job is moved to other parallelisms in the middle of its windows.

use pipelines::StopMode;

use crate::harness::World;
use crate::plans::{append, counts, expected_counts, shown_counts, until_shown};

#[tokio::test]
async fn b22_windows_are_the_same_over_rescales_from_1_to_2_to_3_to_1() {
    let world = World::new();
    let (input, output) = (world.path("in"), world.path("out"));
    world.submit("count", &counts(&input, &output, 1)).await;
    world.running("count", 1).await;
    let mut epoch = 0;
    for (at, parallelism) in (0_u64..).zip([2, 3, 1]) {
        append(&input, at * 2_500..(at + 1) * 2_500);
        epoch = world.checkpointed("count", epoch + 1).await;
        let generation = world.show("count").await.generation;
        let info = world.rescale("count", parallelism).await.unwrap();
        assert_eq!(info.parallelism["count"], parallelism);
        let info = world.running("count", generation + 1).await;
        assert_eq!(info.workers.len(), parallelism as usize);
        assert_eq!(info.restarts, 0);
    }
    append(&input, 7_500..19_000);
    world.checkpointed("count", epoch + 1).await;
    // A later batch in each partition brings the watermark past the last window.
    append(&input, 30_000..30_002);
    let expected = expected_counts(19_000);
    until_shown("all windows", || {
        shown_counts(&output).len() >= expected.len()
    })
    .await;
    assert_eq!(shown_counts(&output), expected);
    world.stop("count", StopMode::Force).await.unwrap();
    world.state("count", "stopped").await;
}
