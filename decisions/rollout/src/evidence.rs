//! How sure one can be that a count is not chance.
//!
//! Both tests are one-sided and exact, so that they hold for few calls and for rare errors:
//! - [`beyond`]: the binomial test (Clopper and Pearson, "The use of confidence or fiducial
//!   limits", Biometrika 26, 1934);
//! - [`worse`]: Fisher's exact test of two proportions (R. A. Fisher, "On the interpretation of χ²
//!   from contingency tables", J. R. Statist. Soc. 85, 1922).

/// What is less likely than this is not taken for chance. A release is judged hundreds of times
/// while its calls add up, and each look is another chance to be wrong: so it is far less than the
/// usual 5 %. `tests/gates.rs` counts how often a version that is as good as the older one goes
/// back all the same.
pub(crate) const CHANCE_MAX: f64 = 0.001;

/// The largest term that still counts, as a share of the sum.
const NEGLIGIBLE: f64 = 1e-12;

/// How likely it is that of `n` calls at least `k` are of a kind that has the share `share` (0 to
/// 1) of all calls.
pub(crate) fn beyond(n: u64, k: u64, share: f64) -> f64 {
    if k == 0 || share >= 1.0 {
        return 1.0;
    }
    if share <= 0.0 {
        return 0.0;
    }
    let odds = share / (1.0 - share);
    let first = ln_choose(n, k) + real(k) * share.ln() + real(n - k.min(n)) * (1.0 - share).ln();
    let ratio = |i: u64| real(n - i) / real(i + 1) * odds;
    tail(first, k, n, ratio)
}

/// How likely it is, if two versions fail equally often, that of all their failures so many or more
/// are the newer one's: `failed` of its `calls`, `failed_before` of the older one's `calls_before`.
pub(crate) fn worse(calls: u64, failed: u64, calls_before: u64, failed_before: u64) -> f64 {
    if failed == 0 {
        return 1.0;
    }
    let (all, failures) = (calls + calls_before, failed + failed_before);
    let first = ln_choose(calls, failed) + ln_choose(calls_before, failed_before)
        - ln_choose(all, failures);
    let most = failures.min(calls);
    let ratio = |i: u64| {
        let down = real(failures - i) * real(calls - i);
        // The older version's calls that do not fail, one more with each failure it does not have.
        let up = real(i + 1) * real(calls_before - (failures - i) + 1);
        down / up
    };
    tail(first, failed, most, ratio)
}

/// The sum of a probability whose logarithm is `first` and of those after it, each `ratio` times
/// the one before.
fn tail(first: f64, from: u64, to: u64, ratio: impl Fn(u64) -> f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for i in from..to {
        term *= ratio(i);
        sum += term;
        if term < sum * NEGLIGIBLE {
            break;
        }
    }
    (first + f64::ln(sum)).exp().min(1.0)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let k = k.min(n);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Stirling's series (Abramowitz and Stegun, 6.1.41), from where its error is below 1e-13.
fn ln_factorial(n: u64) -> f64 {
    if n < 20 {
        return (2..=n).map(|i| real(i).ln()).sum();
    }
    let x = real(n) + 1.0;
    let half_ln_two_pi = 0.918_938_533_204_672_8;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + half_ln_two_pi + series
}

/// Counts of calls are far below 2^53.
fn real(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expected: f64) {
        let off = (found - expected).abs() / expected;
        assert!(off < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn the_binomial_tail_is_that_of_the_tables() {
        // Sums of the exact terms.
        check(beyond(50, 1, 0.05), 1.0 - 0.95_f64.powi(50));
        check(beyond(50, 3, 0.05), 0.459_466_9);
        check(beyond(10, 10, 0.5), 0.5_f64.powi(10));
        check(beyond(1_000_000, 10_000, 0.01), 0.501_349_87);
        assert_eq!(beyond(10, 0, 0.5), 1.0);
        assert_eq!(beyond(10, 1, 0.0), 0.0);
    }

    #[test]
    fn fishers_test_knows_the_lady_who_tastes_tea() {
        // All four of four, and three of four: 1/70 and 17/70.
        check(worse(4, 4, 4, 0), 1.0 / 70.0);
        check(worse(4, 3, 4, 1), 17.0 / 70.0);
        check(worse(50, 1, 1_000, 0), 50.0 / 1_050.0);
        assert_eq!(worse(50, 0, 1_000, 9), 1.0);
    }

    #[test]
    fn factorials_meet_where_the_series_takes_over() {
        check(ln_factorial(20), (2..=20).map(|i| real(i).ln()).sum());
    }
}
