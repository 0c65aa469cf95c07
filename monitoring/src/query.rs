//! What a query makes of series: pure.

use std::collections::BTreeMap;

use monitoring::limits::{POINTS_REPLY_MAX, SERIES_REPLY_MAX};
use monitoring::{Function, Point, QueryArgs, QueryReply, SeriesReply, reason};
use rpc::Error;

use crate::base::{Base, Labels};
use crate::series::{Seen, Series};

const WINDOW_MS: u64 = 60_000;
const STEP_MS: u64 = 10_000;

/// Which moments, and how far each looks back.
struct Span {
    from_ms: u64,
    to_ms: u64,
    step_ms: u64,
    window_ms: u64,
}

/// Answers a query, as of `now_ms`.
pub(crate) fn query(base: &Base, args: &QueryArgs, now_ms: u64) -> Result<QueryReply, Error> {
    let span = span(args, now_ms)?;
    let moments = || (span.from_ms..=span.to_ms).step_by(step(&span));
    let mut groups: BTreeMap<Labels, BTreeMap<u64, f64>> = BTreeMap::new();
    match args.function {
        Function::Quantile(share) => {
            let keep = |labels: &Labels| kept(labels, args.sum_by.as_deref(), &["le"]);
            let mut buckets: BTreeMap<Labels, Vec<(f64, &Series)>> = BTreeMap::new();
            for (labels, series) in base.find(&args.name, &args.matchers) {
                let bound = labels.get("le").and_then(|le| le.parse::<f64>().ok());
                if let Some(bound) = bound {
                    buckets
                        .entry(keep(labels))
                        .or_default()
                        .push((bound, series));
                }
            }
            for (labels, buckets) in buckets {
                let at = |at| Some((at, quantile(&buckets, share, at, span.window_ms)?));
                groups.insert(labels, moments().filter_map(at).collect());
            }
        }
        function => {
            for (labels, series) in base.find(&args.name, &args.matchers) {
                let labels = kept(labels, args.sum_by.as_deref(), &[]);
                let group = groups.entry(labels).or_default();
                for at in moments() {
                    if let Some(value) = value(series, function, at, span.window_ms) {
                        *group.entry(at).or_insert(0.0) += value;
                    }
                }
            }
        }
    }
    groups.retain(|_, points| !points.is_empty());
    let cut = groups.len() > SERIES_REPLY_MAX;
    let series = groups.into_iter().take(SERIES_REPLY_MAX);
    let reply = |(labels, points): (Labels, BTreeMap<u64, f64>)| SeriesReply {
        labels,
        points: points
            .into_iter()
            .map(|(at_ms, value)| Point { at_ms, value })
            .collect(),
    };
    Ok(QueryReply {
        series: series.map(reply).collect(),
        cut,
    })
}

fn span(args: &QueryArgs, now_ms: u64) -> Result<Span, Error> {
    let or = |given: u64, usual: u64| if given == 0 { usual } else { given };
    let to_ms = or(args.to_ms, now_ms);
    let span = Span {
        from_ms: or(args.from_ms, to_ms),
        to_ms,
        step_ms: or(args.step_ms, STEP_MS),
        window_ms: or(args.window_ms, WINDOW_MS),
    };
    let length = to_ms.checked_sub(span.from_ms).ok_or_else(|| {
        Error::invalid(reason::BAD_RANGE, "the span ends before it begins")
            .with_hint("`from_ms` is the earlier moment")
    })?;
    if length / span.step_ms > POINTS_REPLY_MAX {
        let message = format!("{} points of each series", length / span.step_ms);
        return Err(Error::invalid(reason::TOO_MANY, message)
            .with_hint(format!("at most {POINTS_REPLY_MAX}: take a longer step")));
    }
    Ok(span)
}

fn step(span: &Span) -> usize {
    usize::try_from(span.step_ms).unwrap_or(usize::MAX)
}

fn kept(labels: &Labels, by: Option<&[String]>, without: &[&str]) -> Labels {
    let wanted = |name: &str| match by {
        Some(by) => by.iter().any(|label| label == name),
        None => !without.contains(&name),
    };
    let kept = labels.iter().filter(|(name, _)| wanted(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What a function makes of the window before a moment; `None` if nothing is known in it.
fn value(series: &Series, function: Function, at_ms: u64, window_ms: u64) -> Option<f64> {
    let seen = series.between(at_ms.saturating_sub(window_ms), at_ms);
    let last = seen.last()?;
    Some(match function {
        Function::Last => last.last,
        Function::Mean => {
            let sum: f64 = seen.iter().map(|seen| seen.sum).sum();
            sum / seen.iter().map(|seen| seen.count).sum::<f64>()
        }
        Function::Least => seen
            .iter()
            .map(|seen| seen.least)
            .fold(f64::INFINITY, f64::min),
        Function::Greatest => seen
            .iter()
            .map(|seen| seen.greatest)
            .fold(f64::NEG_INFINITY, f64::max),
        Function::Increase | Function::Quantile(_) => increase(&seen),
        Function::Rate => {
            let first = seen.first()?;
            let seconds = last.at_ms.saturating_sub(first.at_ms) as f64 / 1_000.0;
            if seconds == 0.0 {
                return None;
            }
            increase(&seen) / seconds
        }
    })
}

/// By how much a counter grew. When it is less than before, what counts was started anew, and all
/// it says is new.
fn increase(seen: &[Seen]) -> f64 {
    let grown = |pair: &[Seen]| {
        let grown = pair[1].last - pair[0].last;
        if grown < 0.0 { pair[1].last } else { grown }
    };
    seen.windows(2).map(grown).sum()
}

/// Below which value this share lies of what a histogram counted in the window: between the bounds
/// of the bucket it falls into, by proportion.
fn quantile(buckets: &[(f64, &Series)], share: f64, at_ms: u64, window_ms: u64) -> Option<f64> {
    let mut counts: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (bound, series) in buckets {
        let grown = value(series, Function::Increase, at_ms, window_ms).unwrap_or(0.0);
        // Bounds are positive: their bits are in their order.
        counts.entry(bound.to_bits()).or_insert((*bound, 0.0)).1 += grown;
    }
    let all = counts
        .values()
        .next_back()
        .map(|(_, count)| *count)
        .filter(|all| *all > 0.0)?;
    let wanted = all * share.clamp(0.0, 1.0);
    let (mut below, mut counted) = (0.0, 0.0);
    for (bound, count) in counts.into_values() {
        if count >= wanted {
            if bound.is_infinite() || count <= counted {
                return Some(below);
            }
            return Some(below + (bound - below) * (wanted - counted) / (count - counted));
        }
        (below, counted) = (bound, count);
    }
    Some(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_060_000;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    /// A counter that grows by `by` each ten seconds, from 0.
    fn counter(base: &mut Base, name: &str, which: &[(&str, &str)], by: f64) {
        for n in 0..=6 {
            let at = NOW - 60_000 + n * 10_000;
            base.add(name, &labels(which), at, by * n as f64);
        }
    }

    fn ask(base: &Base, args: &QueryArgs) -> Vec<(Labels, f64)> {
        let reply = query(base, args, NOW).unwrap();
        let one = |s: SeriesReply| (s.labels, s.points.last().unwrap().value);
        reply.series.into_iter().map(one).collect()
    }

    #[test]
    fn functions_say_what_they_are_called() {
        let mut base = Base::new(10);
        for (n, value) in [3.0, 1.0, 2.0].into_iter().enumerate() {
            base.add("g", &labels(&[]), NOW - 20_000 + n as u64 * 10_000, value);
        }
        let cases = [
            (Function::Last, 2.0),
            (Function::Mean, 2.0),
            (Function::Least, 1.0),
            (Function::Greatest, 3.0),
        ];
        for (function, expected) in cases {
            let told = ask(&base, &QueryArgs::now("g", function));
            assert_eq!(told, [(labels(&[]), expected)], "{function:?}");
        }
    }

    #[test]
    fn a_rate_survives_a_restart_of_what_counts() {
        let mut base = Base::new(10);
        let restarted = [10.0, 20.0, 30.0, 5.0, 15.0];
        for (n, value) in restarted.into_iter().enumerate() {
            base.add("c", &labels(&[]), NOW - 40_000 + n as u64 * 10_000, value);
        }
        let increase = ask(&base, &QueryArgs::now("c", Function::Increase))[0].1;
        assert_eq!(increase, 10.0 + 10.0 + 5.0 + 10.0);
        assert_eq!(
            ask(&base, &QueryArgs::now("c", Function::Rate))[0].1,
            35.0 / 40.0
        );
    }

    #[test]
    fn sums_are_by_the_labels_that_are_named() {
        let mut base = Base::new(10);
        counter(&mut base, "c", &[("service", "a"), ("instance", "1")], 10.0);
        counter(&mut base, "c", &[("service", "a"), ("instance", "2")], 20.0);
        counter(&mut base, "c", &[("service", "b"), ("instance", "3")], 40.0);
        let increase = QueryArgs::now("c", Function::Increase);
        let by = ask(&base, &increase.clone().by(&["service"]));
        // The window is open at its beginning: five tens of seconds lie in it.
        let expected = [
            (labels(&[("service", "a")]), 150.0),
            (labels(&[("service", "b")]), 200.0),
        ];
        assert_eq!(by, expected);
        assert_eq!(
            ask(&base, &increase.clone().by(&[])),
            [(labels(&[]), 350.0)]
        );
        assert_eq!(ask(&base, &increase.equal("service", "b")).len(), 1);
    }

    #[test]
    fn a_quantile_lies_in_its_bucket() {
        let mut base = Base::new(10);
        for (le, by) in [("0.1", 10.0), ("1", 90.0), ("+Inf", 100.0)] {
            counter(&mut base, "h_bucket", &[("le", le), ("service", "a")], by);
        }
        let at = |share| {
            ask(
                &base,
                &QueryArgs::now("h_bucket", Function::Quantile(share)),
            )[0]
            .1
        };
        assert!((at(0.05) - 0.05).abs() < 1e-9);
        assert!((at(0.5) - 0.55).abs() < 1e-9);
        assert_eq!(at(0.99), 1.0);
    }

    #[test]
    fn a_span_that_makes_no_sense_is_refused() {
        let base = Base::new(1);
        let ask = |from_ms, to_ms, step_ms| {
            let args = QueryArgs {
                from_ms,
                to_ms,
                step_ms,
                ..QueryArgs::now("a", Function::Last)
            };
            query(&base, &args, NOW).map_err(|e| e.reason.into_owned())
        };
        assert_eq!(ask(2, 1, 0).unwrap_err(), reason::BAD_RANGE);
        assert_eq!(ask(1, NOW, 1).unwrap_err(), reason::TOO_MANY);
        assert!(ask(NOW - 20_000_000, NOW, 0).is_ok());
    }

    #[test]
    fn there_is_room_for_so_many_series_and_no_more() {
        let mut base = Base::new(2);
        assert!(base.add("a", &labels(&[]), 1, 1.0));
        assert!(base.add("b", &labels(&[]), 1, 1.0));
        assert!(!base.add("c", &labels(&[]), 1, 1.0));
        assert!(base.add("a", &labels(&[]), 2, 1.0));
        assert_eq!((base.len(), base.left_out()), (2, 1));
        base.forget_before(2);
        assert_eq!(base.len(), 1);
        assert!(base.add("c", &labels(&[]), 1, 1.0));
    }
}
