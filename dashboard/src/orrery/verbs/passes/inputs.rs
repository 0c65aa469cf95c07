//! What `predict` and `plan` read: files, moments, and what stations have.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use client::passes::planning::{Equipment, GroundStation, Sky, Span, sky, stations};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// What a station has if the table does not say.
#[derive(Debug, Args)]
pub(super) struct Usual {
    /// Elevation from which on a station sees satellites, in degrees, unless the table says.
    #[arg(
        long,
        default_value_t = 5.0,
        value_name = "DEGREES",
        allow_negative_numbers = true
    )]
    elevation: f64,
}

impl Usual {
    /// Stations from a file, with these for what it does not say.
    pub(super) fn stations(
        &self,
        file: &Path,
        usual: Equipment,
    ) -> Result<Vec<GroundStation>, Failure> {
        let usual = Equipment {
            elevation_min_deg: self.elevation,
            ..usual
        };
        stations(&read(file)?, &usual).map_err(|e| wrong(file, &e))
    }
}

/// All passes of a span, with a line that says how far it is.
pub(super) fn look_up(
    session: &Session,
    tle: &Path,
    stations: &[GroundStation],
    span: Span,
) -> Result<Sky, Failure> {
    let mut progress = session.out.progress("predicting");
    let text = read(tle)?;
    let watch = &mut |done, all| progress.at(done as u64, all as u64);
    sky(&text, stations, span, watch).map_err(|e| wrong(tle, &e))
}

/// The text of a file.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|e| {
        let what = format!("failed to read {}: {e}", file.display());
        Failure::new(Exit::Failed, what)
    })
}

/// A file that is not what it should be, with the whole chain of reasons.
pub(super) fn wrong(file: &Path, error: &dyn Error) -> Failure {
    let mut what = format!("{}: {error}", file.display());
    let mut source = error.source();
    while let Some(error) = source {
        what += &format!(": {error}");
        source = error.source();
    }
    Failure::new(Exit::Usage, what)
}

/// Reads a moment: a day (its first moment, UTC), or a time with its zone.
pub(super) fn moment(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let day: Date = text
        .parse()
        .map_err(|_| "write it as 2026-05-31 or 2026-05-31T06:00Z".to_owned())?;
    let zoned = day.to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?;
    Ok(zoned.timestamp().as_millisecond())
}

/// Milliseconds of a duration.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn utc(ms: i64) -> Option<Zoned> {
    let at = Timestamp::from_millisecond(ms).ok()?;
    Some(at.to_zoned(TimeZone::UTC))
}

/// A moment as `strftime` writes it, in UTC.
pub(super) fn written(ms: i64, format: &str) -> String {
    utc(ms).map_or_else(|| ms.to_string(), |at| at.strftime(format).to_string())
}

/// A moment for programs: `2026-05-31T00:00:40Z`.
pub(super) fn iso(ms: i64) -> String {
    written(ms, "%Y-%m-%dT%H:%M:%SZ")
}

#[cfg(test)]
mod tests {
    use super::{iso, moment};

    #[test]
    fn a_moment_is_a_day_or_a_time_with_its_zone() {
        assert_eq!(moment("2026-05-31"), Ok(1_780_185_600_000));
        assert_eq!(moment("2026-05-31T02:00+02:00"), moment("2026-05-31"));
        assert!(moment("tomorrow").is_err());
        assert_eq!(iso(1_780_185_640_999), "2026-05-31T00:00:40Z");
    }
}
