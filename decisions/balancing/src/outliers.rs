//! Endpoints that get no calls for a while, because they answer errors.

/// When an endpoint is an outlier, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierSettings {
    /// So many errors in a row, and it is out.
    pub errors_in_a_row: u32,
    /// For so long at first, in microseconds; longer each time.
    pub ejection_us: u64,
    /// At most so long.
    pub ejection_us_max: u64,
    /// At most this share of the endpoints may be out, in percent: when more seem bad, it is
    /// probably not they.
    pub percent_max: u32,
}

impl Default for OutlierSettings {
    fn default() -> Self {
        Self {
            errors_in_a_row: 5,
            ejection_us: 1_000_000,
            ejection_us_max: 30_000_000,
            percent_max: 50,
        }
    }
}

/// What is remembered of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    errors_in_a_row: u32,
    ejections: u32,
    until_us: u64,
}

impl Record {
    pub(crate) fn is_out(&self, now_us: u64) -> bool {
        now_us < self.until_us
    }

    /// Until when it is out, if it is.
    pub(crate) fn out_until(&self, now_us: u64) -> Option<u64> {
        self.is_out(now_us).then_some(self.until_us)
    }

    pub(crate) fn succeeded(&mut self) {
        self.errors_in_a_row = 0;
        self.ejections = self.ejections.saturating_sub(u32::from(self.until_us > 0));
        self.until_us = 0;
    }

    /// Whether it is to be out from now on, if there is room for one more.
    pub(crate) fn failed(&mut self, settings: &OutlierSettings) -> bool {
        self.errors_in_a_row = self.errors_in_a_row.saturating_add(1);
        self.errors_in_a_row >= settings.errors_in_a_row
    }

    pub(crate) fn eject(&mut self, settings: &OutlierSettings, now_us: u64) {
        let doubled = settings
            .ejection_us
            .saturating_mul(1 << self.ejections.min(16));
        self.until_us = now_us.saturating_add(doubled.min(settings.ejection_us_max));
        self.ejections = self.ejections.saturating_add(1);
        // The first call after its time is a trial: one more error, and it is out again.
        self.errors_in_a_row = settings.errors_in_a_row.saturating_sub(1);
    }
}
