//! What `METRICS` and `/metrics` say; `docs/passes.md` says when to be alarmed.

use std::fmt::Write as _;

use passes::StatsReply;

pub(crate) fn text(stats: &StatsReply) -> String {
    let mut text = String::new();
    let gauges = [
        ("passes_machines", u64::from(stats.machines)),
        ("passes_used_percent", u64::from(stats.used_pct)),
        ("passes_running", stats.running),
        ("passes_tick_microseconds", stats.tick_us),
        ("passes_look_age_milliseconds", stats.looked_ms_ago),
    ];
    for (name, value) in gauges {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}");
    }
    let _ = writeln!(text, "# TYPE passes_waiting gauge");
    for (class, depth) in stats.waiting.iter().enumerate() {
        let _ = writeln!(text, "passes_waiting{{class=\"{class}\"}} {depth}");
    }
    let counters = [
        ("passes_submitted", stats.submitted),
        ("passes_refused", stats.refused),
        ("passes_done", stats.done),
        ("passes_failed", stats.failed),
        ("passes_missed", stats.missed),
        ("passes_cancelled", stats.cancelled),
        ("passes_preempted", stats.preempted),
        ("passes_migrated", stats.migrated),
        ("passes_lost", stats.lost),
        ("passes_steal_attempts", stats.steal_attempts),
        ("passes_steal_successes", stats.steal_successes),
        ("passes_decisions", stats.decisions),
    ];
    for (name, value) in counters {
        let _ = writeln!(text, "# TYPE {name} counter\n{name}_total {value}");
    }
    text
}
