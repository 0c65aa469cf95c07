//! Whether the newer version answers as well as the older one.

/// How a version answered since a step began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that ended.
    pub calls: u64,
    /// Of these, with an error.
    pub errors: u64,
    /// 99 of 100 took no longer than this, in microseconds; absent if nothing is known.
    pub p99_us: Option<u64>,
}

impl Stats {
    /// Errors of a thousand calls.
    #[must_use]
    pub fn errors_permille(&self) -> u64 {
        self.errors
            .saturating_mul(1_000)
            .checked_div(self.calls)
            .unwrap_or(0)
    }
}

/// What the newer version has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates {
    /// With fewer calls than this nothing is judged.
    pub calls_min: u64,
    /// At most so many errors of a thousand calls, whatever the older version does,
    pub errors_permille_max: u64,
    /// and at most so many more than the older version.
    pub errors_permille_more: u64,
    /// Its p99 is at most so many times the older version's,
    pub p99_times: u64,
    /// or at most so much longer, in microseconds.
    pub p99_more_us: u64,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            calls_min: 50,
            errors_permille_max: 50,
            errors_permille_more: 10,
            p99_times: 2,
            p99_more_us: 10_000,
        }
    }
}

/// What is wrong with the newer version, in words; `None` if nothing is, or nothing can be said.
#[must_use]
pub fn judge(gates: &Gates, old: &Stats, new: &Stats) -> Option<String> {
    if new.calls < gates.calls_min {
        return None;
    }
    let (errors, before) = (new.errors_permille(), old.errors_permille());
    if errors > gates.errors_permille_max {
        return Some(format!("{errors} of 1000 calls fail ({} calls)", new.calls));
    }
    let comparable = old.calls >= gates.calls_min;
    if comparable && errors > before.saturating_add(gates.errors_permille_more) {
        return Some(format!(
            "{errors} of 1000 calls fail, {before} do with the older version"
        ));
    }
    let (Some(p99), Some(p99_before)) = (new.p99_us, old.p99_us) else {
        return None;
    };
    let slow = p99 > p99_before.saturating_mul(gates.p99_times)
        && p99 > p99_before.saturating_add(gates.p99_more_us);
    (comparable && slow).then(|| {
        format!("1 of 100 calls takes {p99} us or longer, {p99_before} us with the older version")
    })
}
