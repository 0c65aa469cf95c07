//! What is free is divided by weight; what one does not need goes to those who do.

/// What one tenant has had, and what it would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Shares stand to each other as weights do. 0: it gets what nobody else needs.
    pub weight: u32,
    /// What it has had already.
    pub had: u64,
    /// How much it would take now.
    pub wants: u64,
}

/// Divides `free` so that what each has had, for its weight, is as equal as can be: nobody gets
/// more than it wants, and nothing is left while somebody wants it (weighted max-min fairness).
///
/// The answer has the order of the claims. Remainders of a division go to the first claims.
#[must_use]
pub fn allot(free: u64, claims: &[Claim]) -> Vec<u64> {
    let mut given = vec![0; claims.len()];
    let left = pour(free, claims, &mut given, |claim| claim.weight);
    let unweighted = |claim: &Claim| u32::from(claim.weight == 0);
    pour(left, claims, &mut given, unweighted);
    given
}

/// Raises a common level until nothing is free, and returns what is left over.
fn pour(free: u64, claims: &[Claim], given: &mut [u64], weight: impl Fn(&Claim) -> u32) -> u64 {
    // A level is what one of weight 1 has had, in parts of a millionth.
    let at = |claim: &Claim, level: u128| -> u64 {
        let target = level * u128::from(weight(claim)) / LEVEL;
        let more = target.saturating_sub(u128::from(claim.had));
        u64::try_from(more).unwrap_or(u64::MAX).min(claim.wants)
    };
    let total = |level: u128| -> u128 { claims.iter().map(|c| u128::from(at(c, level))).sum() };
    let (mut low, mut high) = (0u128, highest(claims, &weight));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if total(middle) <= u128::from(free) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    let mut left = free;
    let weighted = |claim: &Claim| weight(claim) > 0;
    for (given, claim) in given.iter_mut().zip(claims).filter(|(_, c)| weighted(c)) {
        *given = at(claim, low);
        left = left.saturating_sub(*given);
    }
    // The next level would be too much for all, so it is for the first.
    for (given, claim) in given.iter_mut().zip(claims).filter(|(_, c)| weighted(c)) {
        let more = left.min(at(claim, low + 1) - *given);
        *given += more;
        left -= more;
    }
    left
}

const LEVEL: u128 = 1_000_000;

/// The level at which everybody has all it wants.
fn highest(claims: &[Claim], weight: &impl Fn(&Claim) -> u32) -> u128 {
    let full = |claim: &Claim| match weight(claim) {
        0 => 0,
        weight => {
            let all = u128::from(claim.had) + u128::from(claim.wants);
            (all * LEVEL).div_ceil(u128::from(weight))
        }
    };
    claims.iter().map(full).max().unwrap_or(0)
}
