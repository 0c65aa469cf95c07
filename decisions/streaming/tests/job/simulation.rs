//! Many lives of a job, each from one seed: messages lost, late and doubled, workers that die,
//! controllers that are killed in the middle of a step, wishes at random. What must never happen
//! is asserted in `World`; here is what must happen in the end.

use streaming::{RestartMode, Settings, State, Stop, Wish};

use crate::world::{Noise, World, program};

fn settings() -> Settings {
    Settings {
        restarts_max: None,
        worker_startup_ms: 20_000,
        task_startup_ms: 10_000,
        checkpoint_timeout_ms: 10_000,
        commit_timeout_ms: 10_000,
        stop_timeout_ms: 10_000,
        heartbeat_timeout_ms: 5_000,
        backoff_max_ms: 5_000,
        checkpoints_kept: 3,
        garbage_batch: 2,
        ..Settings::default()
    }
}

fn disturb(world: &mut World) {
    match world.random.up_to(11) {
        0 | 1 => {
            let alive = world.alive();
            if !alive.is_empty() {
                let at = world.random.up_to(alive.len() as u64 - 1) as usize;
                world.kill_worker(alive[at]);
            }
        }
        2 => {
            let parallelism = 1 + world.random.up_to(3) as u32;
            world.wish(|wish| wish.program = program(parallelism));
        }
        3 => {
            let mode = match world.random.up_to(1) {
                0 => RestartMode::Safe,
                _ => RestartMode::Force,
            };
            world.wish(|wish| {
                wish.restart_nonce += 1;
                wish.restart_mode = mode;
            });
        }
        4 => {
            let modes = [
                Stop::Checkpoint,
                Stop::Graceful,
                Stop::Immediate,
                Stop::Force,
            ];
            let stop = modes[world.random.up_to(3) as usize];
            world.stop(stop);
        }
        5 => world.stop(Stop::None),
        6 => world.crash(),
        7 => world.knobs.capacity = Some(world.random.up_to(5) as u32),
        8 => world.knobs.hanging ^= true,
        9 => world.knobs.lazy ^= true,
        10 => world.knobs.unreachable = world.random.up_to(2) as u32,
        _ => {}
    }
}

/// One life; the trace and the stored state come from nothing but the seed.
fn live(seed: u64) -> World {
    let mut wish = Wish::new(program(2));
    wish.checkpoint_interval_ms = 3_000;
    let mut world = World::with(settings(), wish, seed);
    world.noise = Noise {
        lost: 1 + world.random.up_to(30),
        doubled: world.random.up_to(50),
        late: world.random.up_to(30),
        crashes: world.random.up_to(5),
    };
    for _ in 0..40 {
        let pause = world.random.up_to(8_000);
        world.run_for(pause);
        disturb(&mut world);
    }
    world.noise = Noise::default();
    world.knobs = crate::workers::Knobs::default();
    world
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var_os(name).and_then(|text| text.to_str()?.parse().ok());
    let many = 0..number("SEEDS").unwrap_or(400);
    number("SEED").map_or(many, |seed| seed..seed + 1)
}

/// Runs `check` for every seed; a failure names the seed that replays it (`SEED=n`);
/// `SEEDS=n` are more of them.
fn for_all_seeds(check: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds() {
        if let Err(panic) = std::panic::catch_unwind(|| check(seed)) {
            eprintln!("replay with SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn when_the_noise_ends_a_job_that_shall_run_runs_and_its_checkpoints_work() {
    for_all_seeds(|seed| {
        let mut world = live(seed);
        world.stop(Stop::None);
        world.wish(|wish| wish.restart_nonce += 1);
        world.run_for(200_000);
        assert_eq!(world.state(), State::Running, "{}", world.tail());
        let newest = world.job.catalogue().newest_whole().cloned();
        world.run_for(10_000);
        assert_eq!(world.state(), State::Running, "{}", world.tail());
        let newer = world.job.catalogue().newest_whole().cloned();
        assert!(newer.is_some() && newer != newest, "{}", world.tail());
        assert_eq!(
            world.facts,
            *world.job.facts(),
            "the store knows what the job knows"
        );
    });
}

#[test]
fn when_the_noise_ends_a_job_that_shall_stop_ends_and_no_worker_is_left() {
    for_all_seeds(|seed| {
        let mut world = live(seed);
        let stop = [
            Stop::Checkpoint,
            Stop::Graceful,
            Stop::Immediate,
            Stop::Force,
        ];
        world.stop(stop[(seed % 4) as usize]);
        world.run_for(60_000);
        // One that had failed for want of slots before the stop stays failed.
        assert!(world.state().is_done(), "{}", world.tail());
        assert!(world.alive().is_empty());
    });
}

#[test]
fn a_seed_is_a_life() {
    for seed in 0..5 {
        let (first, second) = (live(seed), live(seed));
        assert!(first.trace == second.trace, "seed {seed}");
        assert_eq!(first.facts, second.facts);
    }
}
