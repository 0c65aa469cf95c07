//! Medians, and numbers as people read them.

use std::time::Duration;

/// The middle of some values; the mean of the two in the middle, 0 for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A rate with three digits: `104 k`, `3.04 M`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 1e6 => format!("{:.2} M", r / 1e6),
        r if r >= 1e5 => format!("{:.0} k", r / 1e3),
        r if r >= 1e3 => format!("{:.1} k", r / 1e3),
        r => format!("{r:.0}"),
    }
}

/// A duration in microseconds with three digits, in µs or ms.
pub(crate) fn micros(us: f64) -> String {
    match us {
        us if us >= 100_000.0 => format!("{:.0} ms", us / 1e3),
        us if us >= 1_000.0 => format!("{:.1} ms", us / 1e3),
        us if us >= 100.0 => format!("{us:.0} µs"),
        us if us >= 10.0 => format!("{us:.1} µs"),
        us => format!("{us:.2} µs"),
    }
}

/// A size, where it is a whole number of KiB or MiB.
pub(crate) fn bytes(size: usize) -> String {
    match size {
        s if s >= 1 << 10 => format!("{} KiB", s >> 10),
        s => format!("{s} B"),
    }
}

/// A count, to be divided.
#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds and counts are far below 2^52"
)]
pub(crate) fn to_f64(count: u64) -> f64 {
    count as f64
}

/// Nanoseconds as a histogram wants them.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(
            median(vec![4.0, 1.0, 3.0, 2.0]).to_bits(),
            2.5_f64.to_bits()
        );
        assert_eq!(median(Vec::new()).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_rate_keeps_three_digits() {
        let shown: Vec<String> = [999.0, 27_040.0, 104_400.0, 3_041_000.0].map(rate).into();
        assert_eq!(shown, ["999", "27.0 k", "104 k", "3.04 M"]);
    }
}
