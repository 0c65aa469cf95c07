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

/// What else the machine did while something was measured.
pub(crate) struct Meanwhile {
    busy: u64,
    own: u64,
    all: u64,
}

impl Meanwhile {
    /// Begins to look.
    pub(crate) fn begin() -> Self {
        Self::now().unwrap_or(Self {
            busy: 0,
            own: 0,
            all: 0,
        })
    }

    /// The share of the machine that others took since then, in a sentence.
    pub(crate) fn describe(&self) -> String {
        let Some(now) = Self::now().filter(|now| now.all > self.all) else {
            return "How busy the machine was otherwise is not known".to_owned();
        };
        let others = (now.busy - self.busy).saturating_sub(now.own - self.own);
        let percent = others * 100 / (now.all - self.all);
        format!("Meanwhile other programs and the kernel's threads took {percent} % of the cores")
    }

    /// Ticks since the machine started, by `/proc/stat`, and of this program with all children that
    /// have ended, by `/proc/self/stat`.
    fn now() -> Option<Self> {
        let numbers = |text: &str| -> Vec<u64> {
            text.split_whitespace()
                .map(|word| word.parse().unwrap_or(0))
                .collect()
        };
        let machine = numbers(fs::read_to_string("/proc/stat").ok()?.lines().next()?);
        let program = fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name may hold spaces; what follows its closing parenthesis does not.
        let program = numbers(program.rsplit_once(')')?.1);
        // user, nice, system, idle, iowait, irq, softirq, steal: see proc(5).
        let all: u64 = machine.get(1..9)?.iter().sum();
        let idle: u64 = machine.get(4..6)?.iter().sum();
        // utime, stime, cutime, cstime.
        let own = program.get(11..15)?.iter().sum();
        Some(Self {
            busy: all - idle,
            own,
            all,
        })
    }
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
