//! The tables of stations and of requests.

use orbits::Station;

use super::sheet::{Sheet, SheetError};

/// What a station has unless its row says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equipment {
    /// How many antennas.
    pub antennas: usize,
    /// How long an antenna is busy before a contact.
    pub setup_ms: i64,
    /// How long it is busy after one.
    pub teardown_ms: i64,
    /// From which elevation on it sees satellites, in degrees.
    pub elevation_min_deg: f64,
}

impl Default for Equipment {
    fn default() -> Self {
        Self {
            antennas: 1,
            setup_ms: 0,
            teardown_ms: 60_000,
            elevation_min_deg: 5.0,
        }
    }
}

/// A station and what it has.
#[derive(Debug, Clone, PartialEq)]
pub struct GroundStation {
    /// Its name.
    pub name: String,
    /// Whose share its jobs are counted to; its name if the table has none.
    pub region: String,
    /// Where it stands.
    pub place: Station,
    /// What it has.
    pub equipment: Equipment,
}

/// Most antennas at a station.
const ANTENNAS_MAX: usize = 1_000;
/// Longest set-up or tear-down: a day.
const BUSY_MAX_MS: i64 = 86_400_000;

/// Stations from a table with the columns `station`, `lat_deg` and `lon_deg`. It may have `alt_m`,
/// `region`, `antennas`, `setup_s`, `teardown_s` and `elevation_min_deg` too.
///
/// # Errors
/// [`SheetError`] says which line is no station, and why.
pub fn stations(text: &str, usual: &Equipment) -> Result<Vec<GroundStation>, SheetError> {
    let sheet = Sheet::parse(text)?;
    let name = sheet.required("station")?;
    let (latitude, longitude) = (sheet.required("lat_deg")?, sheet.required("lon_deg")?);
    let column = |name: &str| sheet.column(name);
    let mut stations: Vec<GroundStation> = Vec::with_capacity(sheet.rows.len());
    for row in &sheet.rows {
        let elevation = row.number(column("elevation_min_deg"), usual.elevation_min_deg)?;
        let equipment = Equipment {
            antennas: row.number(column("antennas"), usual.antennas)?,
            setup_ms: row.seconds(column("setup_s"), usual.setup_ms)?,
            teardown_ms: row.seconds(column("teardown_s"), usual.teardown_ms)?,
            elevation_min_deg: elevation,
        };
        if !(1..=ANTENNAS_MAX).contains(&equipment.antennas) {
            return Err(row.wrong(format!("a station has 1 to {ANTENNAS_MAX} antennas")));
        }
        let sane = |busy_ms| (0..=BUSY_MAX_MS).contains(&busy_ms);
        if !sane(equipment.setup_ms) || !sane(equipment.teardown_ms) {
            return Err(row.wrong("set-up and tear-down take from nothing to a day"));
        }
        let place = Station::new(
            row.number(Some(latitude), f64::NAN)?,
            row.number(Some(longitude), f64::NAN)?,
            row.number(column("alt_m"), 0.0)?,
            elevation,
        );
        let name = row.text(name)?;
        if stations.iter().any(|other| other.name == name) {
            return Err(row.wrong(format!("{name} is there twice")));
        }
        let region = column("region").and_then(|region| row.text(region).ok());
        stations.push(GroundStation {
            name: name.to_owned(),
            region: region.unwrap_or(name).to_owned(),
            place: place.map_err(|error| row.wrong(error.to_string()))?,
            equipment,
        });
    }
    Ok(stations)
}

/// A satellite that wants one contact in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is called; its place in the table if that does not say.
    pub id: String,
    /// Which satellite, as its elements name it.
    pub satellite: String,
    /// The contact does not begin before.
    pub from_ms: i64,
    /// It does not end after.
    pub until_ms: i64,
    /// A shorter pass is of no use.
    pub contact_min_ms: i64,
    /// What it is worth.
    pub weight: u32,
}

/// Requests from a table with the columns `satellite`, `window_start_s` and `window_end_s`, which
/// count from `from_ms`. It may have `request_id`, `weight` and `contact_min_s` too.
///
/// # Errors
/// [`SheetError`] says which line is no request, and why.
pub fn wanted(text: &str, from_ms: i64, contact_min_ms: i64) -> Result<Vec<Wanted>, SheetError> {
    let sheet = Sheet::parse(text)?;
    let satellite = sheet.required("satellite")?;
    let start = sheet.required("window_start_s")?;
    let end = sheet.required("window_end_s")?;
    let mut wanted = Vec::with_capacity(sheet.rows.len());
    for (place, row) in sheet.rows.iter().enumerate() {
        let (start_ms, end_ms) = (row.seconds(Some(start), 0)?, row.seconds(Some(end), 0)?);
        if end_ms <= start_ms {
            return Err(row.wrong("the window does not end after it begins"));
        }
        let id = sheet.column("request_id").and_then(|id| row.text(id).ok());
        wanted.push(Wanted {
            id: id.map_or_else(|| place.to_string(), str::to_owned),
            satellite: row.text(satellite)?.to_owned(),
            from_ms: from_ms + start_ms,
            until_ms: from_ms + end_ms,
            contact_min_ms: row.seconds(sheet.column("contact_min_s"), contact_min_ms)?,
            weight: row.number(sheet.column("weight"), 1)?,
        });
    }
    Ok(wanted)
}
