//! From the frame SGP4 speaks (TEME) to the Earth, and to an observer's sky.
//!
//! Vallado, *Fundamentals of Astrodynamics and Applications*, 4th edition: sidereal time 3-47,
//! ellipsoid 3-14, topocentric coordinates 4-4. The ellipsoid is WGS84.

use crate::propagate::State;
use crate::station::Station;

pub(crate) type Vector = [f64; 3];

/// WGS84: the equatorial radius in kilometres, and the flattening.
const RADIUS_KM: f64 = 6_378.137;
const FLATTENING: f64 = 1.0 / 298.257_223_563;
const ECCENTRICITY_2: f64 = FLATTENING * (2.0 - FLATTENING);
/// The Earth's rotation, in radians a second.
const ROTATION_RAD_S: f64 = 7.292_115_146_706_98e-5;
/// 2000-01-01 12:00, in milliseconds since 1970.
const J2000_MS: f64 = 946_728_000_000.0;
const CENTURY_MS: f64 = 36_525.0 * 86_400_000.0;

/// Where a satellite stands in a station's sky.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// From north over east, in degrees, in [0, 360).
    pub azimuth_deg: f64,
    /// Above the horizon, in degrees; without refraction.
    pub elevation_deg: f64,
    /// The distance, in kilometres.
    pub range_km: f64,
    /// How fast the distance grows, in kilometres a second.
    pub range_rate_km_s: f64,
}

/// The point under a satellite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundPoint {
    /// Geodetic latitude (WGS84), in degrees, north positive.
    pub latitude_deg: f64,
    /// Longitude, in degrees, east positive, in [-180, 180).
    pub longitude_deg: f64,
    /// How high above the ellipsoid the satellite is, in kilometres.
    pub altitude_km: f64,
}

/// A satellite relative to the Earth: position in kilometres, velocity in kilometres a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixed {
    pub(crate) position_km: Vector,
    pub(crate) velocity_km_s: Vector,
}

/// Greenwich mean sidereal time (IAU 1982), in radians, in [0, 2 pi); UT1 is taken as UTC.
pub fn sidereal_angle(time_ms: i64) -> f64 {
    sidereal_angle_at(time_ms as f64)
}

fn sidereal_angle_at(time_ms: f64) -> f64 {
    let centuries = (time_ms - J2000_MS) / CENTURY_MS;
    let seconds = 67_310.548_41
        + (876_600.0 * 3_600.0 + 8_640_184.812_866) * centuries
        + 0.093_104 * centuries.powi(2)
        - 6.2e-6 * centuries.powi(3);
    (seconds / 240.0)
        .to_radians()
        .rem_euclid(std::f64::consts::TAU)
}

/// Turns a state at an instant (milliseconds since 1970) into the frame that turns with the Earth.
pub(crate) fn fixed(state: &State, time_ms: f64) -> Fixed {
    let (sin, cos) = sidereal_angle_at(time_ms).sin_cos();
    let turned = |[x, y, z]: Vector| [cos * x + sin * y, cos * y - sin * x, z];
    let position_km = turned(state.position_km);
    let [vx, vy, vz] = turned(state.velocity_km_s);
    let [x, y, _] = position_km;
    let velocity_km_s = [vx + ROTATION_RAD_S * y, vy - ROTATION_RAD_S * x, vz];
    Fixed {
        position_km,
        velocity_km_s,
    }
}

/// Where a station sees a satellite that is in this state at this time.
pub fn look(station: &Station, state: &State, time_ms: i64) -> Look {
    let satellite = fixed(state, time_ms as f64);
    let line = difference(satellite.position_km, station.position_km);
    let range_km = dot(line, line).sqrt();
    let azimuth = dot(line, station.east).atan2(dot(line, station.north));
    Look {
        azimuth_deg: azimuth.to_degrees().rem_euclid(360.0),
        elevation_deg: (dot(line, station.up) / range_km)
            .clamp(-1.0, 1.0)
            .asin()
            .to_degrees(),
        range_km,
        range_rate_km_s: dot(line, satellite.velocity_km_s) / range_km,
    }
}

/// The sine of the elevation, and how fast it grows (per second): smooth, cheap, and zero where
/// the elevation is, so whoever searches for a rise or a culmination uses it instead.
pub(crate) fn sine_elevation(station: &Station, satellite: &Fixed) -> (f64, f64) {
    let line = difference(satellite.position_km, station.position_km);
    let range = dot(line, line).sqrt();
    let sine = dot(line, station.up) / range;
    let range_rate = dot(line, satellite.velocity_km_s) / range;
    (
        sine,
        (dot(satellite.velocity_km_s, station.up) - sine * range_rate) / range,
    )
}

/// The point under a satellite that is in this state at this time.
pub fn ground_point(state: &State, time_ms: i64) -> GroundPoint {
    let [x, y, z] = fixed(state, time_ms as f64).position_km;
    let from_axis = x.hypot(y);
    let mut latitude = z.atan2(from_axis * (1.0 - ECCENTRICITY_2));
    // Six rounds are enough from 100 to 40,000 km up: a property test holds it to 1e-6 degrees.
    for _ in 0..6 {
        let sin = latitude.sin();
        let normal = RADIUS_KM / (1.0 - ECCENTRICITY_2 * sin * sin).sqrt();
        latitude = (z + normal * ECCENTRICITY_2 * sin).atan2(from_axis);
    }
    let (sin, cos) = latitude.sin_cos();
    let normal = RADIUS_KM / (1.0 - ECCENTRICITY_2 * sin * sin).sqrt();
    let surface = normal * (1.0 - ECCENTRICITY_2 * sin * sin);
    GroundPoint {
        latitude_deg: latitude.to_degrees(),
        longitude_deg: (y.atan2(x).to_degrees() + 180.0).rem_euclid(360.0) - 180.0,
        altitude_km: from_axis * cos + z * sin - surface,
    }
}

/// A point over the ellipsoid, in the Earth-fixed frame, in kilometres.
pub(crate) fn geodetic_to_fixed(latitude_deg: f64, longitude_deg: f64, height_km: f64) -> Vector {
    let (sin_lat, cos_lat) = latitude_deg.to_radians().sin_cos();
    let (sin_lon, cos_lon) = longitude_deg.to_radians().sin_cos();
    let normal = RADIUS_KM / (1.0 - ECCENTRICITY_2 * sin_lat * sin_lat).sqrt();
    let from_axis = (normal + height_km) * cos_lat;
    let z = (normal * (1.0 - ECCENTRICITY_2) + height_km) * sin_lat;
    [from_axis * cos_lon, from_axis * sin_lon, z]
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn difference(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
