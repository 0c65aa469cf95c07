//! Ours: simulated annealing over ejections, steered by the prices of the upper bound.
//!
//! One step gives a request that is not served one of its contacts; who stands in its way gives
//! way and takes another contact if one is free. The step stands if nothing is lost, and at times
//! if something is: the less the later. A step that loses nothing is taken always, so the plan
//! wanders along its level until a hole opens.
//!
//! The bound's prices say what each contact loses against the request's cheapest one, and a plan
//! that reaches the bound uses none that loses: a step draws how much a contact may lose, which is
//! nearly nothing nearly always. The search ends when it has reached the bound.

use crate::bound::losses;
use crate::greedy::{Rule, fill};
use crate::model::{Plan, Problem};
use crate::pool::Pool;
use crate::random::Random;

/// How hot the search begins and ends, in units of the mean weight.
const HOT: f64 = 0.2;
const COLD: f64 = 0.1;
/// How much a contact may lose against its request's cheapest one: on average so much of a weight.
const LOSS: f64 = 0.01;
/// After how many steps a watcher is told.
const WATCH_STEPS: u64 = 1 << 14;

/// A plan from the better of the greedy rules and `steps` steps of search.
///
/// The same problem, seed and steps give the same plan.
#[must_use]
pub fn improve(problem: &Problem, seed: u64, steps: u64) -> Plan {
    improve_watched(problem, seed, steps, &mut |_| ())
}

/// As [`improve`], and tells now and then how many steps are done.
#[must_use]
pub fn improve_watched(
    problem: &Problem,
    seed: u64,
    steps: u64,
    watch: &mut dyn FnMut(u64),
) -> Plan {
    let mut pools = [Rule::FewestAlternatives, Rule::EarliestEnd].map(|rule| {
        let mut pool = Pool::new(problem);
        fill(&mut pool, rule);
        pool
    });
    pools.sort_by_key(|pool| std::cmp::Reverse(pool.worth()));
    let [pool, _] = pools;
    let mut search = Search::new(pool, problem, seed);
    search.run(steps, watch);
    search.best
}

struct Search<'a> {
    pool: Pool<'a>,
    random: Random,
    unserved: Vec<usize>,
    mean: f64,
    worth: u64,
    best_worth: u64,
    best: Plan,
    obstacles: Vec<usize>,
    /// For each slot what it loses against the bound.
    losses: Vec<f64>,
    /// What a step changed: the request, and the slot it had.
    undo: Vec<(usize, Option<usize>)>,
    /// No plan is worth more.
    bound: u64,
}

impl<'a> Search<'a> {
    fn new(pool: Pool<'a>, problem: &Problem, seed: u64) -> Self {
        let requests = problem.requests();
        let total: f64 = requests.iter().map(|asked| f64::from(asked.weight)).sum();
        let unserved = (0..requests.len())
            .filter(|&request| pool.chosen(request).is_none() && !pool.of(request).is_empty())
            .collect();
        let (losses, bound) = losses(problem, pool.slots(), pool.worth());
        Self {
            random: Random::new(seed),
            unserved,
            mean: total / requests.len().max(1) as f64,
            worth: pool.worth(),
            best_worth: pool.worth(),
            best: pool.plan(),
            obstacles: Vec::new(),
            losses,
            bound,
            undo: Vec::new(),
            pool,
        }
    }

    fn run(&mut self, steps: u64, watch: &mut dyn FnMut(u64)) {
        for step in 0..steps {
            if self.unserved.is_empty() || self.best_worth >= self.bound {
                break;
            }
            if step.is_multiple_of(WATCH_STEPS) {
                watch(step);
            }
            let done = step as f64 / steps as f64;
            self.step(self.mean * HOT * (COLD / HOT).powf(done));
            if self.worth > self.best_worth {
                self.best_worth = self.worth;
                self.best = self.pool.plan();
            }
        }
    }

    fn step(&mut self, heat: f64) {
        let place = self.random.below(self.unserved.len());
        let request = self.unserved[place];
        let loss_max = -self.random.unit().ln() * LOSS * self.mean;
        let Some(slot) = self.first(request, |search, slot| search.losses[slot] <= loss_max) else {
            return;
        };
        let mut obstacles = std::mem::take(&mut self.obstacles);
        self.pool.obstacles(slot, &mut self.random, &mut obstacles);
        self.undo.clear();
        for &other in &obstacles {
            self.change(other, None);
        }
        self.change(request, Some(slot));
        let mut lost = 0;
        for &other in &obstacles {
            match self.elsewhere(other, loss_max) {
                Some(slot) => self.change(other, Some(slot)),
                None => lost += u64::from(self.pool.weight(other)),
            }
        }
        let won = u64::from(self.pool.weight(request));
        let stands = lost <= won || self.random.unit() < (-((lost - won) as f64) / heat).exp();
        if stands {
            self.worth = self.worth + won - lost;
            self.unserved.swap_remove(place);
            let pool = &self.pool;
            let out = obstacles
                .iter()
                .filter(|&&other| pool.chosen(other).is_none());
            self.unserved.extend(out);
        } else {
            while let Some((other, slot)) = self.undo.pop() {
                self.pool.set(other, slot);
            }
        }
        self.obstacles = obstacles;
    }

    fn change(&mut self, request: usize, slot: Option<usize>) {
        self.undo.push((request, self.pool.chosen(request)));
        self.pool.set(request, slot);
    }

    /// A free slot of a request that loses no more than this.
    fn elsewhere(&mut self, request: usize, loss_max: f64) -> Option<usize> {
        self.first(request, |search, slot| {
            search.losses[slot] <= loss_max && search.pool.fits(slot)
        })
    }

    /// A slot of a request that will do, looked for from a random one on.
    fn first(&mut self, request: usize, will_do: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let ways = self.pool.of(request);
        let first = self.random.below(ways.len());
        (0..ways.len())
            .map(|step| ways.start + (first + step) % ways.len())
            .find(|&slot| will_do(self, slot))
    }
}
