//! What cannot be done is refused, with what is missing.

use passes::scheduler::{AddError, Rejected};
use passes::scheduler::{MachineFleet, PassWindowJob, ResourceRequest};
use queueing::Refusal;

use crate::world::{MINUTE, World, cores, job, machine, sized, tagged};

#[test]
fn too_late_is_told_with_the_latest_feasible_start() {
    let mut world = World::of(&[4], 15);
    world.clock.set(12 * MINUTE);
    let late = PassWindowJob {
        deadline: 20 * MINUTE,
        ..job(1, 1, "r")
    };
    let refusal = Refusal::TooLate {
        latest_start_ms: 10 * MINUTE,
        late_by_ms: 2 * MINUTE,
    };
    assert_eq!(world.scheduler.submit(late), Err(refusal.into()));
    let metrics = world.scheduler.metrics();
    assert_eq!((metrics.total_submitted, metrics.total_rejected), (1, 1));
}

#[test]
fn too_big_is_told_with_the_shortage_on_the_machine_that_comes_nearest() {
    let mut world = World::of(&[10, 20], 15);
    let refusal = Refusal::TooBig {
        kind: 0,
        wanted: 18_000,
        short: 1_000,
    };
    assert_eq!(world.scheduler.submit(sized(1, 1, 18)), Err(refusal.into()));
    assert_eq!(
        world.scheduler.submit(sized(2, 0, 18)),
        Ok(()),
        "an alert may use the headroom"
    );
    assert_eq!(world.scheduler.submit(sized(3, 1, 17)), Ok(()));
}

#[test]
fn a_tag_that_no_machine_carries_is_named() {
    let mut world = World::of(&[10], 15);
    let tags = vec!["station:mars".to_owned()];
    let rejected = world
        .scheduler
        .submit(tagged(job(1, 1, "r"), &["station:mars"]));
    assert_eq!(rejected, Err(Rejected::NoSuchMachine { tags }));
    world
        .scheduler
        .add_machine(machine("new", "mars", cores(4), &["station:mars"]))
        .expect("new");
    assert_eq!(
        world
            .scheduler
            .submit(tagged(job(1, 1, "r"), &["station:mars"])),
        Ok(())
    );
}

#[test]
fn a_machine_has_one_name_and_a_size_that_can_be_counted() {
    let mut fleet = MachineFleet::new();
    fleet
        .add_machine(machine("m", "r", cores(1), &[]))
        .expect("it is new");
    let again = fleet.add_machine(machine("m", "r", cores(1), &[]));
    assert_eq!(again, Err(AddError::Taken("m".to_owned())));
    let large = ResourceRequest {
        gpu_count: 4_096,
        ..cores(1)
    };
    let added = fleet.add_machine(machine("l", "r", large, &[]));
    assert_eq!(added, Err(AddError::TooLarge("l".to_owned())));
    assert_eq!(fleet.machines().count(), 1);
}
