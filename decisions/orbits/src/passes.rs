//! Passes: from when to when a station sees a satellite.
//!
//! The span is cut where the elevation has an extremum. Between two cuts it only grows or only
//! falls, so it crosses the station's minimum once or not at all, and no pass is too short to be
//! seen: the extremum itself is found, not sampled.

use crate::frames::{self, Fixed, sine_elevation};
use crate::propagate::{PropagationError, Satellite};
use crate::roots::root;
use crate::station::Station;

/// How exactly rises, culminations and sets are found.
const TOLERANCE_MS: f64 = 0.5;

/// From an instant to another one, in milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from_ms: i64,
    /// The instant after the last.
    pub until_ms: i64,
}

/// One pass: the satellite stands at or above the station's minimum elevation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// When it rises, or the span's first instant when it was up already.
    pub rise_ms: i64,
    /// When it stands highest.
    pub culmination_ms: i64,
    /// When it sets, or the span's end when it is still up then.
    pub set_ms: i64,
    /// How high it stands at culmination, in degrees.
    pub elevation_max_deg: f64,
    /// Where it rises, in degrees from north over east.
    pub rise_azimuth_deg: f64,
    /// Where it sets, in degrees from north over east.
    pub set_azimuth_deg: f64,
    /// It was up before the span began: the real rise is earlier.
    pub begins_before: bool,
    /// It is up when the span ends: the real set is later.
    pub ends_after: bool,
}

/// What a station sees of a satellite in a span.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// Nothing. How high it comes at best, in degrees (below the station's minimum).
    Never {
        /// The highest elevation in the span.
        elevation_max_deg: f64,
    },
    /// It never sets (a geostationary one, say): one pass as long as the span.
    Always(Pass),
    /// It rises and sets.
    Passes(Vec<Pass>),
}

impl Sight {
    /// The passes, in order.
    pub fn passes(&self) -> &[Pass] {
        match self {
            Self::Never { .. } => &[],
            Self::Always(pass) => std::slice::from_ref(pass),
            Self::Passes(passes) => passes,
        }
    }
}

/// Why passes could not be predicted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PredictError {
    /// The span is empty or backwards, or longer than ten years.
    #[error("a span from {from_ms} to {until_ms} ms: it must be forwards, at most ten years")]
    Span {
        /// The first instant.
        from_ms: i64,
        /// The instant after the last.
        until_ms: i64,
    },
    /// The satellite is nowhere at some instant of the span.
    #[error("failed to propagate")]
    Propagation(#[from] PropagationError),
}

/// What each station sees of a satellite in a span; the answers are in the order of the stations.
///
/// A station costs little beyond the first: the satellite's positions are computed once.
///
/// # Errors
/// The span is not one, or the satellite has no position somewhere in it (it decays): ask for the
/// time before. An error hides passes, it never shortens one.
pub fn predict(
    satellite: &Satellite,
    stations: &[Station],
    span: Span,
) -> Result<Vec<Sight>, PredictError> {
    let Span { from_ms, until_ms } = span;
    let length_ms = until_ms.checked_sub(from_ms).unwrap_or(0);
    if !(1..=10 * 366 * 86_400_000).contains(&length_ms) {
        return Err(PredictError::Span { from_ms, until_ms });
    }
    let steps = (length_ms as f64 / satellite.step_ms()).ceil().max(1.0) as i64;
    let mut sweeps: Vec<Sweep> = stations.iter().map(Sweep::new).collect();
    for step in 0..=steps {
        let time_ms = from_ms as f64 + length_ms as f64 * step as f64 / steps as f64;
        let position = frames::fixed(&satellite.state_at(time_ms)?, time_ms);
        for sweep in &mut sweeps {
            sweep.sample(satellite, time_ms, &position)?;
        }
    }
    sweeps
        .into_iter()
        .map(|sweep| sweep.finish(satellite, span))
        .collect()
}

/// An instant, how far the sine of the elevation is above the station's minimum, and its rate.
#[derive(Clone, Copy)]
struct Sample {
    time_ms: f64,
    above: f64,
    rate: f64,
}

/// One station's way through the span.
struct Sweep<'a> {
    station: &'a Station,
    sine_min: f64,
    last: Option<Sample>,
    highest: Option<Sample>,
    /// The pass that is going on: its rise, and its highest point so far.
    open: Option<(f64, Sample)>,
    /// Rise, highest point and set.
    closed: Vec<(f64, Sample, f64)>,
}

impl<'a> Sweep<'a> {
    fn new(station: &'a Station) -> Self {
        Self {
            station,
            sine_min: station.elevation_min_deg.to_radians().sin(),
            last: None,
            highest: None,
            open: None,
            closed: Vec::new(),
        }
    }

    fn measure(&self, time_ms: f64, position: &Fixed) -> Sample {
        let (sine, rate) = sine_elevation(self.station, position);
        Sample {
            time_ms,
            above: sine - self.sine_min,
            rate,
        }
    }

    fn measure_at(&self, satellite: &Satellite, ms: f64) -> Result<Sample, PropagationError> {
        Ok(self.measure(ms, &frames::fixed(&satellite.state_at(ms)?, ms)))
    }

    fn sample(
        &mut self,
        satellite: &Satellite,
        time_ms: f64,
        position: &Fixed,
    ) -> Result<(), PropagationError> {
        let next = self.measure(time_ms, position);
        let Some(last) = self.last else {
            self.open = (next.above >= 0.0).then_some((time_ms, next));
            self.see(next);
            return Ok(());
        };
        let turns = (last.rate > 0.0) != (next.rate > 0.0);
        // A lowest point matters only when it may divide a pass.
        let lowest = last.rate <= 0.0;
        let matters = !lowest || (last.above >= 0.0 && next.above >= 0.0);
        if turns && matters {
            let (low, high) = ((last.time_ms, last.rate), (next.time_ms, next.rate));
            let turn_ms = root(low, high, TOLERANCE_MS, |ms| {
                self.measure_at(satellite, ms).map(|sample| sample.rate)
            })?;
            let turn = self.measure_at(satellite, turn_ms)?;
            self.advance(satellite, turn)?;
        }
        self.advance(satellite, next)
    }

    /// Goes on to the next sample, with nothing but a rise or a fall on the way.
    fn advance(&mut self, satellite: &Satellite, next: Sample) -> Result<(), PropagationError> {
        let last = self.last.unwrap_or(next);
        if (last.above >= 0.0) != (next.above >= 0.0) {
            let (low, high) = ((last.time_ms, last.above), (next.time_ms, next.above));
            let crossing = root(low, high, TOLERANCE_MS, |ms| {
                self.measure_at(satellite, ms).map(|sample| sample.above)
            })?;
            match self.open.take() {
                Some((rise, highest)) => self.closed.push((rise, highest, crossing)),
                None => self.open = Some((crossing, next)),
            }
        }
        self.see(next);
        Ok(())
    }

    fn see(&mut self, sample: Sample) {
        if let Some((_, highest)) = &mut self.open
            && sample.above > highest.above
        {
            *highest = sample;
        }
        if self
            .highest
            .is_none_or(|highest| sample.above > highest.above)
        {
            self.highest = Some(sample);
        }
        self.last = Some(sample);
    }

    fn finish(mut self, satellite: &Satellite, span: Span) -> Result<Sight, PredictError> {
        let still_up = self.open.take();
        if let Some((rise, highest)) = still_up {
            self.closed.push((rise, highest, span.until_ms as f64));
        }
        let count = self.closed.len();
        let mut passes = Vec::with_capacity(count);
        for (index, (rise, highest, set)) in self.closed.iter().enumerate() {
            let ends_after = still_up.is_some() && index + 1 == count;
            passes.push(self.pass(satellite, span, (*rise, *highest, *set), ends_after)?);
        }
        Ok(match passes.as_slice() {
            [] => Sight::Never {
                elevation_max_deg: self
                    .highest
                    .map_or(-90.0, |highest| self.elevation_deg(highest)),
            },
            [one] if one.begins_before && one.ends_after => Sight::Always(*one),
            _ => Sight::Passes(passes),
        })
    }

    fn pass(
        &self,
        satellite: &Satellite,
        span: Span,
        (rise, highest, set): (f64, Sample, f64),
        ends_after: bool,
    ) -> Result<Pass, PropagationError> {
        let (rise_ms, set_ms) = (rise.round() as i64, set.round() as i64);
        let azimuth = |ms: i64| -> Result<f64, PropagationError> {
            Ok(frames::look(self.station, &satellite.state(ms)?, ms).azimuth_deg)
        };
        Ok(Pass {
            rise_ms,
            culmination_ms: (highest.time_ms.round() as i64).clamp(rise_ms, set_ms),
            set_ms,
            elevation_max_deg: self.elevation_deg(highest),
            rise_azimuth_deg: azimuth(rise_ms)?,
            set_azimuth_deg: azimuth(set_ms)?,
            begins_before: rise == span.from_ms as f64,
            ends_after,
        })
    }

    fn elevation_deg(&self, sample: Sample) -> f64 {
        (sample.above + self.sine_min)
            .clamp(-1.0, 1.0)
            .asin()
            .to_degrees()
    }
}
