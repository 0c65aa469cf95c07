//! How many calls may be made a second time: a share of all, so that retries never become a storm.

/// Retries are paid from what first tries bring in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// A tenth of a retry is one.
    tenths: u32,
    tenths_max: u32,
    percent: u32,
    carry: u32,
}

impl Budget {
    /// So many retries for a hundred calls, and at most `burst` saved up.
    #[must_use]
    pub fn new(percent: u32, burst: u32) -> Self {
        Self {
            tenths: burst * 10,
            tenths_max: burst * 10,
            percent,
            carry: 0,
        }
    }

    /// A call was made for the first time.
    pub fn called(&mut self) {
        self.carry += self.percent;
        let whole = self.carry / 10;
        self.carry %= 10;
        self.tenths = (self.tenths + whole).min(self.tenths_max);
    }

    /// Whether one may be made again; takes it from the budget.
    pub fn spend(&mut self) -> bool {
        let has = self.tenths >= 10;
        if has {
            self.tenths -= 10;
        }
        has
    }
}
