//! Pointing and maps: frames checked against what is known otherwise.

use orbits::{Satellite, State, Station, ground_point, look, parse, sidereal_angle};
use proptest::prelude::*;

fn close(a: f64, b: f64, within: f64) {
    assert!((a - b).abs() <= within, "{a} is not {b} within {within}");
}

/// A satellite that stands so high over this place: the inverse of what is tested.
fn over(latitude_deg: f64, longitude_deg: f64, height_km: f64, time_ms: i64) -> State {
    // WGS84, written out once more.
    let e2 = 0.006_694_379_990_14;
    let (sin, cos) = latitude_deg.to_radians().sin_cos();
    let normal = 6_378.137 / (1.0 - e2 * sin * sin).sqrt();
    let from_axis = (normal + height_km) * cos;
    let angle = longitude_deg.to_radians() + sidereal_angle(time_ms);
    State {
        position_km: [
            from_axis * angle.cos(),
            from_axis * angle.sin(),
            (normal * (1.0 - e2) + height_km) * sin,
        ],
        velocity_km_s: [0.0; 3],
    }
}

#[test]
fn sidereal_time_is_that_of_vallados_example() {
    // Example 3-5: 1992-08-20 12:14 UT1 is 152.578 787 810 degrees.
    close(
        sidereal_angle(714_312_840_000).to_degrees(),
        152.578_787_81,
        1e-7,
    );
}

#[test]
fn what_stands_over_the_station_is_at_its_zenith() {
    let station = Station::new(78.23, 15.41, 450.0, 5.0).unwrap();
    let seen = look(&station, &over(78.23, 15.41, 700.45, 0), 0);
    close(seen.elevation_deg, 90.0, 1e-5);
    close(seen.range_km, 700.0, 1e-6);
}

#[test]
fn azimuths_go_from_north_over_east() {
    let station = Station::new(0.0, 10.0, 0.0, 0.0).unwrap();
    let azimuth = |latitude: f64, longitude: f64| {
        look(&station, &over(latitude, longitude, 700.0, 5), 5).azimuth_deg
    };
    close(azimuth(5.0, 10.0), 0.0, 1e-6);
    close(azimuth(0.0, 15.0), 90.0, 1e-6);
    close(azimuth(-5.0, 10.0), 180.0, 1e-6);
    close(azimuth(0.0, 5.0), 270.0, 1e-6);
}

#[test]
fn the_range_grows_as_fast_as_its_rate_says() {
    let tle = "1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992\n\
        2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n";
    let iss = Satellite::new(&parse(tle).unwrap()[0]).unwrap();
    let station = Station::new(37.85, 22.62, 0.0, 5.0).unwrap();
    for minute in 0..90 {
        let ms = iss.epoch_ms() + minute * 60_000;
        let at = |ms: i64| look(&station, &iss.state(ms).unwrap(), ms);
        let measured = (at(ms + 500).range_km - at(ms - 500).range_km) / 1.0;
        close(at(ms).range_rate_km_s, measured, 1e-4);
    }
}

#[test]
fn a_station_that_is_nowhere_is_refused_by_the_argument_that_is_wrong() {
    let complaint = Station::new(91.0, 0.0, 0.0, 5.0).unwrap_err().to_string();
    assert_eq!(complaint, "the latitude is 91, which is not in -90 to 90");
    assert!(Station::new(0.0, f64::NAN, 0.0, 5.0).is_err());
    assert!(Station::new(0.0, 0.0, 1e6, 5.0).is_err());
    assert!(Station::new(0.0, 0.0, 0.0, 91.0).is_err());
}

proptest! {
    #[test]
    fn the_point_under_a_satellite_is_where_it_was_put(
        latitude in -90.0_f64..90.0, longitude in -180.0_f64..180.0,
        height in 100.0_f64..40_000.0, ms in 0_i64..2_000_000_000_000,
    ) {
        let point = ground_point(&over(latitude, longitude, height, ms), ms);
        prop_assert!((point.latitude_deg - latitude).abs() < 1e-6);
        // At a pole every longitude is the same place.
        let east = (point.longitude_deg - longitude + 540.0).rem_euclid(360.0) - 180.0;
        prop_assert!(east.abs() * latitude.to_radians().cos() < 1e-6);
        prop_assert!((point.altitude_km - height).abs() < 1e-6);
    }
}
