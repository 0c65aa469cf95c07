//! Why a job is refused, in words and in the caller's time.

use passes::scheduler::{Refusal, Rejected};

const KINDS: [&str; 4] = ["millicores of CPU", "MiB of memory", "GPUs", "of something"];

/// Whoever is a day late most likely meant another unit.
const LONG_AGO_MS: u64 = 24 * 3_600_000;

pub(crate) fn explain(rejected: &Rejected, now_ms: u64) -> String {
    let kind = |kind: usize| KINDS[kind.min(3)];
    let from_now = |at_ms: u64| at_ms as f64 / 1_000.0 - now_ms as f64 / 1_000.0;
    match rejected {
        Rejected::NoSuchMachine { tags } if tags.is_empty() => "there is no node".to_owned(),
        Rejected::NoSuchMachine { tags } => {
            format!("no node has all of these labels: {}", tags.join(", "))
        }
        Rejected::Hopeless(Refusal::TooLate { late_by_ms, .. }) if *late_by_ms > LONG_AGO_MS => {
            "its deadline was long ago; it is in milliseconds since the Unix epoch".to_owned()
        }
        Rejected::Hopeless(Refusal::TooLate { late_by_ms, .. }) => format!(
            "it is too late: it had to start {:.1} s ago, or the deadline has to be so much later",
            *late_by_ms as f64 / 1_000.0
        ),
        Rejected::Hopeless(Refusal::TooBig {
            kind: of,
            wanted,
            short,
        }) => format!(
            "no node is large enough: it needs {wanted} {}, {short} more than the largest has \
             for its class",
            kind(*of)
        ),
        Rejected::Hopeless(Refusal::NoRoom {
            latest_start_ms,
            earliest_start_ms,
            kind: of,
            short,
        }) => {
            format!(
                "there is no room in time: it has to start within {:.1} s, and there is room in \
                 {:.1} s; until then {short} {} are missing",
                from_now(*latest_start_ms),
                from_now(*earliest_start_ms),
                kind(*of)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_missing_and_until_when() {
        let said = |refusal: Refusal| explain(&refusal.into(), 10_000);
        let late = said(Refusal::TooLate {
            latest_start_ms: 8_000,
            late_by_ms: 2_000,
        });
        assert!(late.contains("had to start 2.0 s ago"), "{late}");
        let big = said(Refusal::TooBig {
            kind: 1,
            wanted: 64,
            short: 4,
        });
        assert!(big.contains("64 MiB of memory, 4 more"), "{big}");
        let full = said(Refusal::NoRoom {
            latest_start_ms: 12_000,
            earliest_start_ms: 15_500,
            kind: 0,
            short: 500,
        });
        assert!(
            full.contains("within 2.0 s, and there is room in 5.5 s"),
            "{full}"
        );
        assert!(full.contains("500 millicores"), "{full}");
    }
}
