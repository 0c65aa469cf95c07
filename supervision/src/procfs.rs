//! What `/proc` says about processes.

use std::fs;
use std::io;

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: u8,
    pub(crate) session: u32,
    /// A thread of the kernel.
    pub(crate) is_kernel: bool,
    /// CPU time in user and kernel mode, in clock ticks.
    pub(crate) cpu_ticks: u64,
    /// Clock ticks since boot.
    pub(crate) start_ticks: u64,
    pub(crate) rss_pages: u64,
    /// As `wait` would report it; only of a zombie, and only for those who may look.
    pub(crate) exit_code: i32,
}

impl Stat {
    /// A zombie, or on its way out: it runs no more.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// The flag of kernel threads, from `linux/sched.h`.
const PF_KTHREAD: u64 = 0x0020_0000;

/// `None` when there is no such process.
pub(crate) fn stat(pid: u32) -> io::Result<Option<Stat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(text) => parse_stat(&text)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not understood"))),
        Err(e) if is_gone(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether an error of `/proc` says that the process has gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The name in parentheses may hold anything, `)` and spaces too: fields are counted from the last.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let close = text.iter().rposition(|&b| b == b')')?;
    let rest = std::str::from_utf8(text.get(close + 2..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of proc(5), the state, is the first one here.
    let number = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        session: fields.get(3)?.parse::<i64>().ok()?.try_into().unwrap_or(0),
        is_kernel: number(9)? & PF_KTHREAD != 0,
        cpu_ticks: number(14)? + number(15)?,
        start_ticks: number(22)?,
        rss_pages: number(24)?,
        exit_code: fields.get(49).and_then(|f| f.parse().ok()).unwrap_or(0),
    })
}

/// Every pid there is now.
pub(crate) fn pids() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// The values of variables in the environment a process was started with, when it had all of them.
pub(crate) fn started_with<const N: usize>(pid: u32, names: [&str; N]) -> Option<[String; N]> {
    let environ = environ(pid)?;
    let value = |name: &str| {
        environ.split(|&b| b == 0).find_map(|entry| {
            let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            String::from_utf8(value.to_vec()).ok()
        })
    };
    let values: Vec<String> = names.iter().map_while(|name| value(name)).collect();
    values.try_into().ok()
}

/// In the middle of `execve` a process has no environment for a moment, as if it were a stranger:
/// an empty one is looked at again, for up to 20 ms. Kernel threads never have any.
fn environ(pid: u32) -> Option<Vec<u8>> {
    for _ in 0..20 {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if !environ.is_empty() {
            return Some(environ);
        }
        if stat(pid)
            .ok()?
            .is_none_or(|stat| stat.is_kernel || stat.is_dead())
        {
            return None;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    None
}

/// The path of a process in the v2 hierarchy, as in `/orrery/node-1/echo.0.1`.
pub(crate) fn cgroup_v2(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.trim_end_matches(" (deleted)").to_owned())
}

/// Clock ticks as milliseconds.
pub(crate) fn ticks_to_ms(ticks: u64) -> u64 {
    ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let text = b"42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 7 5 0 0 20 0 1 0 \
            12345 1000 99 1 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 256";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.state, stat.session), (b'S', 42));
        assert_eq!(
            (stat.cpu_ticks, stat.start_ticks, stat.rss_pages),
            (12, 12345, 99)
        );
        assert_eq!(stat.exit_code, 256);
    }

    #[test]
    fn half_a_line_is_not_understood() {
        assert_eq!(parse_stat(b"42 (sh) S 1"), None);
        assert_eq!(parse_stat(b""), None);
    }
}
