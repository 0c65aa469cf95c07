//! The best of many, kept while they change one by one.

/// A tournament: each inner node knows the winner below it, so one change replays one path.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// The scores; as many as the next power of two.
    scores: Vec<i64>,
    /// The winner below each inner node; the root is 1.
    winners: Vec<u32>,
}

/// What is not there loses against everything.
pub(crate) const NOTHING: i64 = i64::MIN;

impl Tree {
    /// A tournament among `scores`; among equals the smallest rank wins.
    pub(crate) fn new(mut scores: Vec<i64>, ranks: &[u64]) -> Self {
        let size = scores.len().next_power_of_two();
        scores.resize(size, NOTHING);
        let winners = vec![0; size];
        let mut tree = Self { scores, winners };
        for inner in (1..size).rev() {
            tree.winners[inner] = tree.play(inner, ranks);
        }
        tree
    }

    pub(crate) fn has_room_for(&self, at: u32) -> bool {
        (at as usize) < self.scores.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(crate) fn score(&self, at: u32) -> i64 {
        self.scores[at as usize]
    }

    /// The winner, and its score.
    pub(crate) fn best(&self) -> (i64, u32) {
        let winner = self.winners.get(1).copied().unwrap_or(0);
        (self.scores[winner as usize], winner)
    }

    pub(crate) fn set(&mut self, at: u32, score: i64, ranks: &[u64]) {
        // Who is refused as before changes nothing. Who fits as before may have another rank now.
        if score < 0 && self.scores[at as usize] == score {
            return;
        }
        self.scores[at as usize] = score;
        let mut inner = (at as usize + self.scores.len()) / 2;
        while inner > 0 {
            let winner = self.play(inner, ranks);
            // Who won before and wins again, and did not change, changes nothing further up.
            if self.winners[inner] == winner && winner != at {
                return;
            }
            self.winners[inner] = winner;
            inner /= 2;
        }
    }

    fn play(&self, inner: usize, ranks: &[u64]) -> u32 {
        let (left, right) = (self.below(inner * 2), self.below(inner * 2 + 1));
        let strength = |at: u32| self.scores[at as usize];
        let rank = |at: u32| ranks.get(at as usize).copied().unwrap_or(u64::MAX);
        match strength(left).cmp(&strength(right)) {
            std::cmp::Ordering::Greater => left,
            std::cmp::Ordering::Less => right,
            std::cmp::Ordering::Equal if rank(left) <= rank(right) => left,
            std::cmp::Ordering::Equal => right,
        }
    }

    fn below(&self, child: usize) -> u32 {
        let size = self.scores.len();
        if child >= size {
            return u32::try_from(child - size).unwrap_or(u32::MAX);
        }
        self.winners[child]
    }
}
