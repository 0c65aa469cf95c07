//! What a person sees of a simulation.

use std::fmt::{Display, Formatter, Result};

use super::{Curve, Day, TARGET};

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        100.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

impl Display for Day {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let options = &self.options;
        writeln!(
            f,
            "{} jobs in a day: {} machines, {} regions, {} workers, {} % headroom, seed {}\n",
            grouped(options.jobs.into()),
            grouped(options.machines.into()),
            self.by_region.len(),
            options.workers,
            options.headroom_pct,
            options.seed,
        )?;
        writeln!(
            f,
            "{:>5} {:>10} {:>10} {:>7} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6} {:>15}",
            "hour",
            "submitted",
            "completed",
            "missed",
            "refused",
            "waiting",
            "running",
            "used %",
            "moved",
            "ousted",
            "steals (tries)",
        )?;
        for quarter in &self.quarters {
            let metrics = &quarter.metrics;
            writeln!(
                f,
                "{:>5} {:>10} {:>10} {:>7} {:>8} {:>8} {:>8} {:>6.1} {:>6} {:>6} {:>15}",
                format!("{:02}:00", quarter.hour),
                metrics.total_submitted,
                metrics.total_completed,
                metrics.deadline_misses,
                metrics.total_rejected,
                metrics.queue_depth_by_priority.iter().sum::<u64>(),
                quarter.running,
                quarter.utilization * 100.0,
                metrics.migrations_executed,
                metrics.preemptions,
                format!("{} ({})", metrics.steal_successes, metrics.steal_attempts),
            )?;
        }
        self.show_regions(f)?;
        self.show_verdict(f)
    }
}

impl Day {
    fn show_regions(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "\ndone in time, by region (jobs, and jobs an hour)")?;
        for (region, count) in &self.by_region {
            writeln!(f, "  {region:<16} {count:>8} {:>9.1}", *count as f64 / 24.0)?;
        }
        writeln!(f, "\ndone in time, by class")?;
        for (class, name) in ["P0 alerts", "P1 passes", "P2 batch"]
            .into_iter()
            .enumerate()
        {
            let (in_time, of) = (self.in_time[class], self.submitted[class]);
            let share = percent(in_time, of);
            writeln!(f, "  {name:<10} {:>8} of {:<8} {share:>7.2} %", in_time, of)?;
        }
        let seconds = self.alert_wait_ms_max as f64 / 1_000.0;
        writeln!(f, "  an alert waited {seconds:.1} s at most")
    }

    fn show_verdict(&self, f: &mut Formatter<'_>) -> Result {
        let all: u64 = self.submitted.iter().sum();
        let in_time: u64 = self.in_time.iter().sum();
        let verdict = if self.compliance() >= TARGET {
            "met"
        } else {
            "MISSED"
        };
        write!(
            f,
            "\nverdict: {} of {} in time, {:.3} %: the target of {:.1} % is {verdict}",
            grouped(in_time),
            grouped(all),
            percent(in_time, all),
            TARGET * 100.0,
        )
    }
}

impl Display for Curve {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(
            f,
            "in time, in percent of all jobs that came; and ours in percent of the bound\n"
        )?;
        writeln!(f, "{:>12} {:>39} {:>31}", "", "all jobs", "alerts alone")?;
        write!(
            f,
            "{:>4} {:>7} {:>7} {:>7} {:>7} {:>7} {:>11} {:>9} {:>7} {:>7}",
            "load", "jobs", "FIFO", "EDF", "ours", "bound", "ours/bound", "FIFO", "EDF", "ours",
        )?;
        for point in &self.0 {
            let jobs = u64::from(point.jobs);
            let all = |done: &[u64; 3]| percent(done.iter().sum(), jobs);
            let alerts = |done: &[u64; 3]| percent(done[0], point.submitted[0]);
            let bound = point.bound / f64::from(point.jobs.max(1)) * 100.0;
            let (fifo, edf, ours) = (all(&point.fifo), all(&point.edf), all(&point.ours));
            let of_bound = ours / bound.max(f64::MIN_POSITIVE) * 100.0;
            write!(
                f,
                "\n{:>3}x {jobs:>7} {fifo:>7.2} {edf:>7.2} {ours:>7.2}",
                point.load
            )?;
            write!(f, " {bound:>7.2} {of_bound:>11.2}")?;
            let (fifo, edf) = (alerts(&point.fifo), alerts(&point.edf));
            write!(f, " {fifo:>9.2} {edf:>7.2} {:>7.2}", alerts(&point.ours))?;
        }
        Ok(())
    }
}
