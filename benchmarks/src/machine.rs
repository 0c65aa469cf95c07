//! Where and when a measurement was taken: without that, a number says nothing.

use std::fs;
use std::thread::available_parallelism;

/// One line: date, CPU, cores, memory, kernel.
pub(crate) fn describe() -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let cpu = field("/proc/cpuinfo", "model name");
    let cores = available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field("/proc/meminfo", "MemTotal");
    let memory_kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy().into_owned();
    let gib = memory_kib >> 20;
    format!("{now}; {cpu}, {cores} cores, {gib} GiB; Linux {release}")
}

/// The value of the first line of `path` that starts with `name`.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find(|line| line.starts_with(name))
        .and_then(|line| line.split_once(':'))
        .map_or_else(
            || "unknown".to_owned(),
            |(_, value)| value.trim().to_owned(),
        )
}
