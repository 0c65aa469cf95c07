//! A ground station: where it stands, and from which elevation on it can be used.

use crate::frames::{Vector, geodetic_to_fixed};

/// A ground station.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Geodetic latitude (WGS84), in degrees, north positive.
    pub latitude_deg: f64,
    /// Longitude, in degrees, east positive.
    pub longitude_deg: f64,
    /// Height above the ellipsoid, in metres.
    pub altitude_m: f64,
    /// A pass begins and ends at this elevation, in degrees.
    pub elevation_min_deg: f64,
    /// Where it is in the Earth-fixed frame, in kilometres, and its local axes.
    pub(crate) position_km: Vector,
    pub(crate) east: Vector,
    pub(crate) north: Vector,
    pub(crate) up: Vector,
}

/// Why there is no such station.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{what} is {value}, which is not in {min} to {max}")]
pub struct StationError {
    /// Which argument.
    pub what: &'static str,
    /// What it was.
    pub value: f64,
    /// The least that it may be.
    pub min: f64,
    /// The most that it may be.
    pub max: f64,
}

impl Station {
    /// A station at this latitude and longitude (degrees), at this height above the ellipsoid
    /// (metres), which sees what is at least this high above its horizon (degrees).
    ///
    /// # Errors
    /// An argument that is out of its range or not a number.
    pub fn new(
        latitude_deg: f64,
        longitude_deg: f64,
        altitude_m: f64,
        elevation_min_deg: f64,
    ) -> Result<Self, StationError> {
        within("the latitude", latitude_deg, -90.0, 90.0)?;
        within("the longitude", longitude_deg, -180.0, 360.0)?;
        within("the altitude", altitude_m, -1_000.0, 20_000.0)?;
        within("the minimum elevation", elevation_min_deg, -10.0, 90.0)?;
        let (sin_lat, cos_lat) = latitude_deg.to_radians().sin_cos();
        let (sin_lon, cos_lon) = longitude_deg.to_radians().sin_cos();
        Ok(Self {
            latitude_deg,
            longitude_deg,
            altitude_m,
            elevation_min_deg,
            position_km: geodetic_to_fixed(latitude_deg, longitude_deg, altitude_m / 1_000.0),
            east: [-sin_lon, cos_lon, 0.0],
            north: [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            up: [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        })
    }
}

fn within(what: &'static str, value: f64, min: f64, max: f64) -> Result<(), StationError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(StationError {
        what,
        value,
        min,
        max,
    })
}
