//! How far a long run is: one line on stderr, on a terminal only, gone when the run is over.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const BAR: usize = 30;
/// How often the line is drawn at most; a run shorter than this shows nothing.
const EVERY: Duration = Duration::from_millis(100);

/// A line that says how far something is; it goes away when this is dropped.
pub(crate) struct Progress {
    what: &'static str,
    began: Instant,
    /// When it was drawn last; `None` where nobody would see it.
    drawn: Option<Instant>,
    visible: bool,
}

impl Progress {
    /// For something that begins now.
    pub(super) fn new(what: &'static str, quiet: bool) -> Self {
        let now = Instant::now();
        let seen = io::stderr().is_terminal() && !quiet;
        Self {
            what,
            began: now,
            drawn: seen.then_some(now),
            visible: false,
        }
    }

    /// So much of it is done.
    pub(crate) fn at(&mut self, done: u64, all: u64) {
        let now = Instant::now();
        if self
            .drawn
            .is_none_or(|drawn| now.duration_since(drawn) < EVERY)
        {
            return;
        }
        self.drawn = Some(now);
        self.visible = true;
        let line = line(self.what, done, all, now.duration_since(self.began));
        // A line that cannot be drawn is a line that nobody misses.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.visible {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, done: u64, all: u64, took: Duration) -> String {
    let share = (done as f64 / all.max(1) as f64).clamp(0.0, 1.0);
    let full = (share * BAR as f64) as usize;
    let (bar, rest) = ("=".repeat(full), " ".repeat(BAR - full));
    let percent = share * 100.0;
    let seconds = took.as_secs_f64();
    format!("{what:<10} [{bar}{rest}] {percent:>3.0} %  {seconds:.1} s")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::line;

    #[test]
    fn a_line_is_as_long_at_the_begin_as_at_the_end_and_fits_a_terminal() {
        let took = Duration::from_millis(1_200);
        for done in [0, 1, 50, 100, 200] {
            let line = line("planning", done, 100, took);
            assert_eq!(line.len(), 56, "{line}");
        }
        assert!(line("planning", 50, 100, took).contains("  50 %"));
        assert!(line("planning", 1, 0, took).contains(" 100 %"));
    }
}
