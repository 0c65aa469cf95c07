//! When nearly everything fails, calls are refused at once: whoever is called gets time to recover,
//! and whoever calls does not wait in vain.

/// When a breaker opens, and how it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls that are remembered; with fewer nothing is decided.
    pub calls_min: u32,
    /// So many failures of a hundred calls, and it opens.
    pub failures_percent: u32,
    /// For so long, in microseconds.
    pub open_us: u64,
    /// Calls that are tried at a time after that.
    pub trials: u32,
    /// So many that succeed in a row, and it closes.
    pub successes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls_min: 20,
            failures_percent: 80,
            open_us: 1_000_000,
            trials: 3,
            successes: 3,
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls are made.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls are tried.
    HalfOpen,
}

/// One breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: Settings,
    calls: u32,
    failures: u32,
    open_until_us: Option<u64>,
    trying: u32,
    succeeded: u32,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            calls: 0,
            failures: 0,
            open_until_us: None,
            trying: 0,
            succeeded: 0,
        }
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self, now_us: u64) -> State {
        match self.open_until_us {
            None => State::Closed,
            Some(until) if now_us < until => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    /// Whether a call may be made; it then has to be [`Self::ended`]. If not, in how many
    /// microseconds to ask again.
    ///
    /// # Errors
    /// How long to wait.
    pub fn begin(&mut self, now_us: u64) -> Result<(), u64> {
        match self.state(now_us) {
            State::Closed => Ok(()),
            State::Open => Err(self.open_until_us.unwrap_or(now_us).saturating_sub(now_us)),
            State::HalfOpen if self.trying < self.settings.trials => {
                self.trying += 1;
                Ok(())
            }
            State::HalfOpen => Err(self.settings.open_us / 10),
        }
    }

    /// A call has ended; `None` says that nobody waited for it.
    pub fn ended(&mut self, succeeded: Option<bool>, now_us: u64) {
        if self.open_until_us.is_some() {
            self.trial_ended(succeeded, now_us);
            return;
        }
        let Some(succeeded) = succeeded else { return };
        self.calls += 1;
        self.failures += u32::from(!succeeded);
        let bad = u64::from(self.failures) * 100
            >= u64::from(self.calls) * u64::from(self.settings.failures_percent);
        if self.calls >= self.settings.calls_min {
            if bad {
                self.open(now_us);
            } else if self.calls >= self.settings.calls_min * 2 {
                // Half is forgotten: what was long ago does not excuse what is now.
                self.calls /= 2;
                self.failures /= 2;
            }
        }
    }

    fn trial_ended(&mut self, succeeded: Option<bool>, now_us: u64) {
        self.trying = self.trying.saturating_sub(1);
        match succeeded {
            Some(true) => {
                self.succeeded += 1;
                if self.succeeded >= self.settings.successes {
                    *self = Self::new(self.settings);
                }
            }
            Some(false) if self.state(now_us) == State::HalfOpen => self.open(now_us),
            _ => {}
        }
    }

    fn open(&mut self, now_us: u64) {
        *self = Self {
            open_until_us: Some(now_us.saturating_add(self.settings.open_us)),
            ..Self::new(self.settings)
        };
    }
}
