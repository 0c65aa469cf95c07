//! Which faults a seed has, and how often. Swarm sampling: most seeds lack most faults, so that
//! no fault always hides another.

use crate::random::Random;

/// The fault rates of one run. Rates are per mille.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Messages that never arrive.
    pub loss: u64,
    /// Messages that arrive twice.
    pub duplication: u64,
    /// The longest way of a message, in milliseconds; differing ways reorder.
    pub delay_ms_max: u64,
    /// Whether agents and control plane may lose sight of each other in one direction.
    pub cuts: bool,
    /// Whether the control plane is killed.
    pub control_crashes: bool,
    /// Whether agents are killed while their children live on.
    pub agent_crashes: bool,
    /// Whether whole machines go down and come back.
    pub machine_crashes: bool,
    /// Whether healthy processes die.
    pub process_crashes: bool,
    /// Whether healthy processes hang.
    pub hangs: bool,
    /// Whether foreign processes come, take pids and ports, and go.
    pub foreigners: bool,
    /// Whether operators change their minds.
    pub operators: bool,
    /// The mean pause between two faults, in milliseconds.
    pub pause_ms: u64,
}

impl Faults {
    /// The faults of a seed.
    #[must_use]
    pub fn sample(random: &mut Random) -> Self {
        let calm = random.chance(400);
        Self {
            loss: if calm { 0 } else { random.between(0, 300) },
            duplication: if calm { 0 } else { random.between(0, 300) },
            delay_ms_max: *random.pick(&[1, 5, 50, 400]).unwrap_or(&1),
            cuts: random.chance(400),
            control_crashes: random.chance(600),
            agent_crashes: random.chance(600),
            machine_crashes: random.chance(300),
            process_crashes: random.chance(700),
            hangs: random.chance(400),
            foreigners: random.chance(600),
            operators: random.chance(800),
            pause_ms: random.between(20, 600),
        }
    }

    /// A healed world: nothing fails any more.
    pub fn heal(&mut self) {
        *self = Self {
            loss: 0,
            duplication: 0,
            delay_ms_max: 5,
            cuts: false,
            control_crashes: false,
            agent_crashes: false,
            machine_crashes: false,
            process_crashes: false,
            hangs: false,
            foreigners: false,
            operators: false,
            pause_ms: self.pause_ms,
        };
    }
}
