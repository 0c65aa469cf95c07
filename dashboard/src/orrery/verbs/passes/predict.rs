//! `orrery passes predict`: who sees whom, and when.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use client::passes::planning::{Equipment, GroundStation, Sighting, Sky, Span};
use serde::Serialize;

use super::inputs::{Usual, iso, look_up, millis, moment, written};
use crate::failure::Failure;
use crate::output::{Cell, Table};
use crate::session::Session;

/// Predict passes: when each satellite rises, culminates and sets at each station, in UTC.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery passes predict --tle sats.tle --stations stations.csv
  orrery passes predict --tle sats.tle --stations stations.csv --from 2026-05-31 --for 24h -o csv
  orrery passes predict --tle sats.tle --stations stations.csv --station svalbard --satellite noaa

Stations are a table with commas: station,lat_deg,lon_deg and, if wanted, alt_m,region,antennas,
setup_s,teardown_s,elevation_min_deg. Elements (TLEs) should be of the same day.")]
pub(super) struct Predict {
    /// Two-line elements of the satellites.
    #[arg(long, value_name = "FILE")]
    tle: PathBuf,
    /// The stations, as CSV.
    #[arg(long, value_name = "FILE")]
    stations: PathBuf,
    /// From when on, as in 2026-05-31 or 2026-05-31T06:00Z; from now on when absent.
    #[arg(long, value_parser = moment, value_name = "MOMENT")]
    from: Option<i64>,
    /// How long, as in 90m.
    #[arg(long = "for", value_parser = crate::duration::parse, default_value = "24h")]
    length: Duration,
    /// Only satellites whose name contains this.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    satellite: String,
    /// Only stations whose name contains this.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    station: String,
    #[command(flatten)]
    usual: Usual,
}

#[derive(Serialize)]
struct Row {
    satellite: String,
    station: String,
    rise: String,
    culmination: String,
    set: String,
    rise_ms: i64,
    culmination_ms: i64,
    set_ms: i64,
    elevation_max_deg: f64,
    rise_azimuth_deg: f64,
    set_azimuth_deg: f64,
    /// It was up before, or is up after, what was asked for: the real pass is longer.
    cut: bool,
}

impl Predict {
    pub(super) fn run(self, session: &Session) -> Result<(), Failure> {
        let usual = Equipment::default();
        let mut stations = self.usual.stations(&self.stations, usual)?;
        let has = |name: &str, part: &str| name.to_lowercase().contains(&part.to_lowercase());
        stations.retain(|station| has(&station.name, &self.station));
        let now_ms = i64::try_from(session.now_ms()).unwrap_or(i64::MAX);
        let from_ms = self.from.unwrap_or(now_ms);
        let span = Span {
            from_ms,
            until_ms: from_ms.saturating_add(millis(self.length)),
        };
        let sky = look_up(session, &self.tle, &stations, span)?;
        let meant = |one: &&Sighting| has(&sky.satellites[one.satellite], &self.satellite);
        let seen = sky.sightings.iter().filter(meant);
        let rows: Vec<Row> = seen.map(|one| row(&sky, &stations, one)).collect();
        if rows.is_empty() {
            session.out.say("no station sees a satellite");
        }
        let exact = session.out.is_csv();
        session.out.list(&rows, || table(&rows, exact))
    }
}

fn row(sky: &Sky, stations: &[GroundStation], one: &Sighting) -> Row {
    let pass = one.pass;
    let tenth = |degrees: f64| (degrees * 10.0).round() / 10.0;
    Row {
        satellite: sky.satellites[one.satellite].clone(),
        station: stations[one.station].name.clone(),
        rise: iso(pass.rise_ms),
        culmination: iso(pass.culmination_ms),
        set: iso(pass.set_ms),
        rise_ms: pass.rise_ms,
        culmination_ms: pass.culmination_ms,
        set_ms: pass.set_ms,
        elevation_max_deg: tenth(pass.elevation_max_deg),
        rise_azimuth_deg: tenth(pass.rise_azimuth_deg),
        set_azimuth_deg: tenth(pass.set_azimuth_deg),
        cut: pass.begins_before || pass.ends_after,
    }
}

fn table(rows: &[Row], exact: bool) -> Table {
    let mut table = Table::new(&[
        "SATELLITE",
        "STATION",
        "RISE",
        "CULMINATION",
        "SET",
        "SECONDS",
        "ELEVATION",
    ]);
    for row in rows {
        let time = |iso: &String, ms: i64| match exact {
            true => iso.clone(),
            false => written(ms, "%H:%M:%S"),
        };
        let rise = match exact {
            true => row.rise.clone(),
            false => written(row.rise_ms, "%m-%d %H:%M:%S"),
        };
        table.row([
            Cell::new(&row.satellite),
            Cell::new(&row.station),
            Cell::new(rise),
            Cell::new(time(&row.culmination, row.culmination_ms)),
            Cell::new(time(&row.set, row.set_ms)),
            Cell::number((row.set_ms - row.rise_ms) / 1_000),
            Cell::number(format!("{:.1}", row.elevation_max_deg)),
        ]);
    }
    table
}
