//! Which work goes next.
//!
//! Work that waits is held by a [`Discipline`]; whoever has room asks it for the next. There is one
//! a file, and all have the same few methods, so that one can be put in another's place, or into
//! it: [`FairShare`] holds any other for each of its tenants.
//!
//! | discipline | who goes next |
//! |---|---|
//! | [`Fifo`] | who came first |
//! | [`Priority`] | the first class; whoever waits rises a class each `aging_ms` |
//! | [`Deadlines`] | the same classes; within one, the earliest deadline |
//! | [`FairShare`] | the tenant that consumed least for its weight |
//! | [`Drf`] | the tenant that holds least of what it holds most of |
//! | [`Mlfq`] | who has used little so far |
//!
//! Beside them are what they are combined with: [`allot`] divides what is free, [`Quotas`] say how
//! much one may hold, [`admit`] refuses what cannot be in time and says why, and [`backfill`]
//! starts small work before large work that has to wait, without making it wait longer.
//!
//! Time is milliseconds, and an argument. Same calls, same answers.
//!
//! ```
//! use queueing::{Aging, Deadlines, Discipline, Work};
//!
//! let work = |id, class, deadline_ms| Work { class, deadline_ms, ..Work::new(id) };
//! let mut queue = Deadlines::new(Aging::default());
//! queue.push(work(1, 2, 50_000));
//! queue.push(work(2, 1, 90_000));
//! queue.push(work(3, 1, 80_000));
//! let order: Vec<u64> = std::iter::from_fn(|| queue.pop(0)).map(|w| w.id).collect();
//! assert_eq!(order, [3, 2, 1]);
//! ```

mod admission;
mod backfill;
mod deadlines;
mod drf;
mod fair;
mod fifo;
mod ladder;
mod mlfq;
mod priority;
mod profile;
mod quota;
mod shares;

pub use admission::{Admission, Refusal, admit};
pub use backfill::{Turn, backfill};
pub use deadlines::Deadlines;
pub use drf::Drf;
pub use fair::FairShare;
pub use fifo::Fifo;
pub use ladder::Aging;
pub use mlfq::{Levels, Mlfq};
pub use priority::Priority;
pub use profile::{Commitment, Profile};
pub use quota::{OverQuota, Quotas};
pub use shares::{Claim, allot};

/// How many kinds of resource an amount has. Which place is which is the caller's business.
pub const DIMENSIONS: usize = 4;

/// So much of each kind of resource.
pub type Amounts = [u64; DIMENSIONS];

/// Something that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Unique among what waits.
    pub id: u64,
    /// Who it is for.
    pub tenant: u32,
    /// 0 goes before 1.
    pub class: u8,
    /// When it began to wait. It stays the same when work comes back.
    pub submitted_ms: u64,
    /// When it has to be done; `u64::MAX` if it never has to.
    pub deadline_ms: u64,
    /// How long it is expected to run.
    pub runtime_ms: u64,
    /// What it holds while it runs.
    pub demand: Amounts,
}

impl Work {
    /// Of class 0 and tenant 0, without a deadline, that takes 1 ms and needs nothing.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self {
            id,
            tenant: 0,
            class: 0,
            submitted_ms: 0,
            deadline_ms: u64::MAX,
            runtime_ms: 1,
            demand: [0; DIMENSIONS],
        }
    }

    /// After this it is late, whatever happens. `None` if even a start at time 0 was too late.
    #[must_use]
    pub fn latest_start_ms(&self) -> Option<u64> {
        match self.deadline_ms {
            u64::MAX => Some(u64::MAX),
            deadline => deadline.checked_sub(self.runtime_ms),
        }
    }
}

/// Holds what waits, and says which goes next.
///
/// Work leaves by [`pop`](Self::pop). Then either it found no place, and is given back with
/// [`give_back`](Self::give_back), as if it had never left; or it runs, and its end is told with
/// [`ended`](Self::ended), whether it is done or was stopped and is pushed again.
pub trait Discipline {
    /// Takes it in; in the place of what waited under the same id, if there was such.
    fn push(&mut self, work: Work);

    /// Takes out what goes next.
    fn pop(&mut self, now_ms: u64) -> Option<Work>;

    /// It was popped, and found no place.
    fn give_back(&mut self, work: Work) {
        self.push(work);
    }

    /// It was popped, ran, and used so much time.
    fn ended(&mut self, work: &Work, used_ms: u64) {
        let _ = (work, used_ms);
    }

    /// Takes out one that nobody wants any more.
    fn remove(&mut self, id: u64) -> Option<Work>;

    /// How many wait.
    fn len(&self) -> usize;

    /// Whether nobody waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One billion: shares are counted in parts of it.
const WHOLE: u128 = 1_000_000_000;

/// The largest share of any kind that this is of the whole, in billionths. Of what there is
/// nothing, whoever wants any wants all.
fn dominant(amounts: &Amounts, capacity: &Amounts) -> u128 {
    let share = |(amount, capacity): (&u64, &u64)| match (*amount, *capacity) {
        (0, _) => 0,
        (_, 0) => WHOLE,
        (amount, capacity) => u128::from(amount) * WHOLE / u128::from(capacity),
    };
    amounts.iter().zip(capacity).map(share).max().unwrap_or(0)
}

/// The first kind of which there is not enough, and how much is missing.
fn short(demand: &Amounts, free: &Amounts) -> Option<(usize, u64)> {
    (0..DIMENSIONS).find_map(|kind| {
        let missing = demand[kind].saturating_sub(free[kind]);
        (missing > 0).then_some((kind, missing))
    })
}
