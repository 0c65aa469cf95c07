//! What the process uses, as every Prometheus library calls it.

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

/// Reads `/proc/self` whenever it is asked, and never otherwise.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    started: Instant,
}

impl ProcessMetrics {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// OpenMetrics text. What cannot be read is left out.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, suffix: &str, help: &str, value: Option<f64>| {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "# TYPE {name} {kind}\n# HELP {name} {help}\n{name}{suffix} {value}"
                );
            }
        };
        let stat = Stat::read();
        let page = rustix::param::page_size() as f64;
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let resident = stat.as_ref().map(|s| s.resident_pages * page);
        let cpu = stat.as_ref().map(|s| s.cpu_ticks / ticks);
        let threads = stat.as_ref().map(|s| s.threads);
        let uptime = Some(self.started.elapsed().as_secs_f64());
        metric(
            "process_resident_memory_bytes",
            "gauge",
            "",
            "Resident memory.",
            resident,
        );
        metric(
            "process_cpu_seconds",
            "counter",
            "_total",
            "User and system time.",
            cpu,
        );
        metric(
            "process_open_fds",
            "gauge",
            "",
            "Open file descriptors.",
            open_fds(),
        );
        metric("process_threads", "gauge", "", "Threads.", threads);
        metric(
            "process_uptime_seconds",
            "gauge",
            "",
            "Time since the start.",
            uptime,
        );
        text
    }
}

fn open_fds() -> Option<f64> {
    // The descriptor that reads the folder is in it too.
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(count.saturating_sub(1) as f64)
}

/// The fields of `/proc/self/stat` that are shown, as proc(5) numbers them.
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    resident_pages: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // Field 2, the name, may hold spaces and brackets; field 3 follows the last bracket.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = "7 (a) b)) S 1 7 7 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 5 0 99 1000 321 18";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            (stat.cpu_ticks, stat.threads, stat.resident_pages),
            (42.0, 5.0, 321.0)
        );
        assert!(Stat::parse("7 (a").is_none());
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let text = ProcessMetrics::new().render();
        for name in [
            "resident_memory_bytes",
            "cpu_seconds_total",
            "open_fds",
            "threads",
        ] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{text}");
        }
    }
}
