//! Passes that are not the ordinary ones.

use crate::data::with_checksum;
use orbits::{PredictError, Satellite, Sight, Span, Station, look, parse, predict};
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A satellite of 2026-05-31 00:00 UTC: inclination (degrees), eccentricity (sevenths), argument of
/// perigee, mean anomaly (degrees), motion (revolutions a day), drag.
fn satellite(
    inclination: f64,
    sevenths: u32,
    angles: (f64, f64),
    motion: f64,
    drag: &str,
) -> Satellite {
    let one = format!("1 90000U 26001A   26151.00000000  .00000000  00000-0 {drag} 0    0");
    let (perigee, anomaly) = angles;
    let two = format!(
        "2 90000 {inclination:8.4} 100.0000 {sevenths:07} {perigee:8.4} {anomaly:8.4} \
         {motion:11.8}    10"
    );
    let text = format!("{}\n{}\n", with_checksum(&one), with_checksum(&two));
    Satellite::new(&parse(&text).unwrap()[0]).unwrap()
}

fn leo() -> Satellite {
    satellite(98.0, 1_000, (90.0, 270.0), 14.5, " 00000-0")
}

fn geostationary() -> Satellite {
    satellite(0.01, 1_000, (0.0, 0.0), 1.0027, " 00000-0")
}

fn from(satellite: &Satellite, hours: i64) -> Span {
    Span {
        from_ms: satellite.epoch_ms(),
        until_ms: satellite.epoch_ms() + hours * HOUR_MS,
    }
}

fn one(satellite: &Satellite, station: &Station, span: Span) -> Sight {
    predict(satellite, std::slice::from_ref(station), span)
        .unwrap()
        .remove(0)
}

#[test]
fn at_rise_and_set_it_stands_at_the_stations_minimum_and_at_culmination_it_is_highest() {
    let (leo, station) = (leo(), Station::new(69.66, 18.95, 100.0, 7.5).unwrap());
    let sight = one(&leo, &station, from(&leo, 24));
    assert!(sight.passes().len() > 8);
    let elevation = |ms| look(&station, &leo.state(ms).unwrap(), ms).elevation_deg;
    for pass in sight
        .passes()
        .iter()
        .filter(|pass| !pass.begins_before && !pass.ends_after)
    {
        assert!((elevation(pass.rise_ms) - 7.5).abs() < 1e-3);
        assert!((elevation(pass.set_ms) - 7.5).abs() < 1e-3);
        assert!((elevation(pass.culmination_ms) - pass.elevation_max_deg).abs() < 1e-4);
        assert!(elevation(pass.culmination_ms - 2_000) <= pass.elevation_max_deg);
        assert!(elevation(pass.culmination_ms + 2_000) <= pass.elevation_max_deg);
        let azimuth = look(&station, &leo.state(pass.rise_ms).unwrap(), pass.rise_ms).azimuth_deg;
        assert!((azimuth - pass.rise_azimuth_deg).abs() < 1e-9);
    }
}

#[test]
fn a_pass_that_the_span_cuts_says_at_which_end() {
    let (leo, station) = (leo(), Station::new(69.66, 18.95, 0.0, 5.0).unwrap());
    let whole = one(&leo, &station, from(&leo, 24)).passes()[2];
    let middle = (whole.rise_ms + whole.set_ms) / 2;
    let late = one(
        &leo,
        &station,
        Span {
            from_ms: middle,
            until_ms: middle + 12 * HOUR_MS,
        },
    );
    let first = late.passes()[0];
    assert!(first.begins_before && !first.ends_after);
    assert_eq!((first.rise_ms, first.set_ms), (middle, whole.set_ms));
    let early = one(
        &leo,
        &station,
        Span {
            from_ms: middle - HOUR_MS,
            until_ms: middle,
        },
    );
    let last = *early.passes().last().unwrap();
    assert!(!last.begins_before && last.ends_after);
    assert!((last.rise_ms - whole.rise_ms).abs() <= 1);
    assert_eq!(last.set_ms, middle);
    let inside = one(
        &leo,
        &station,
        Span {
            from_ms: middle,
            until_ms: middle + 10_000,
        },
    );
    assert!(matches!(inside, Sight::Always(pass) if pass.begins_before && pass.ends_after));
}

#[test]
fn a_geostationary_satellite_is_always_in_sight_or_never() {
    let geo = geostationary();
    let under = orbits::ground_point(&geo.state(geo.epoch_ms()).unwrap(), geo.epoch_ms());
    let near = Station::new(30.0, under.longitude_deg, 0.0, 5.0).unwrap();
    let far = Station::new(
        0.0,
        (under.longitude_deg + 180.0).rem_euclid(360.0),
        0.0,
        5.0,
    )
    .unwrap();
    let sights = predict(&geo, &[near, far], from(&geo, 48)).unwrap();
    let Sight::Always(pass) = sights[0] else {
        panic!("{:?}", sights[0])
    };
    assert_eq!(pass.set_ms - pass.rise_ms, 2 * DAY_MS);
    assert!(pass.elevation_max_deg > 50.0);
    let Sight::Never { elevation_max_deg } = sights[1] else {
        panic!("{:?}", sights[1])
    };
    assert!(elevation_max_deg < -80.0);
    assert_eq!(sights[1].passes(), []);
}

#[test]
fn a_pole_never_sees_an_equatorial_orbit_and_is_told_how_close_it_comes() {
    let low = satellite(5.0, 1_000, (90.0, 270.0), 14.5, " 00000-0");
    let pole = Station::new(90.0, 0.0, 0.0, 5.0).unwrap();
    let sight = one(&low, &pole, from(&low, 24));
    assert!(matches!(sight, Sight::Never { elevation_max_deg } if elevation_max_deg < -20.0));
}

#[test]
fn a_pass_shorter_than_any_step_is_found() {
    let leo = leo();
    let at = |minimum: f64| Station::new(69.66, 18.95, 0.0, minimum).unwrap();
    let best = one(&leo, &at(0.0), from(&leo, 24))
        .passes()
        .iter()
        .map(|pass| pass.elevation_max_deg)
        .fold(0.0, f64::max);
    let sight = one(&leo, &at(best - 0.001), from(&leo, 24));
    let [pass] = sight.passes() else {
        panic!("{sight:?}")
    };
    assert!(
        (1..4_000).contains(&(pass.set_ms - pass.rise_ms)),
        "{pass:?}"
    );
}

#[test]
fn an_eccentric_orbit_has_all_its_passes_fast_at_perigee_and_slow_at_apogee() {
    let molniya = satellite(63.4, 7_400_000, (270.0, 0.0), 2.005, " 00000-0");
    for latitude in [-60.0, -10.0, 45.0, 80.0] {
        let station = Station::new(latitude, 40.0, 0.0, 5.0).unwrap();
        let sight = one(&molniya, &station, from(&molniya, 48));
        for second in (0..48 * 3_600).step_by(7) {
            let ms = molniya.epoch_ms() + second * 1_000;
            let up = look(&station, &molniya.state(ms).unwrap(), ms).elevation_deg >= 5.0;
            let within = |pass: &orbits::Pass| pass.rise_ms - 2 <= ms && ms <= pass.set_ms + 2;
            assert!(
                !up || sight.passes().iter().any(within),
                "{latitude}: up at {ms}"
            );
        }
    }
}

#[test]
fn a_span_that_is_none_is_refused() {
    let leo = leo();
    for (from_ms, until_ms) in [(0, 0), (5, 4), (i64::MIN, i64::MAX), (0, 20 * 366 * DAY_MS)] {
        let error = predict(&leo, &[], Span { from_ms, until_ms }).unwrap_err();
        assert_eq!(error, PredictError::Span { from_ms, until_ms });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn passes_are_in_order_apart_and_above_the_minimum(
        inclination in 0.0_f64..150.0, sevenths in 0_u32..6_000_000, anomaly in 0.0_f64..360.0,
        latitude in -90.0_f64..90.0, longitude in -180.0_f64..180.0, minimum in 0.0_f64..40.0,
    ) {
        // The perigee stays above the ground: the larger the eccentricity, the slower.
        let motion = 15.0 * (1.0 - f64::from(sevenths) * 1e-7).powf(1.5);
        let satellite = satellite(inclination, sevenths, (30.0, anomaly), motion, " 00000-0");
        let station = Station::new(latitude, longitude, 0.0, minimum).unwrap();
        let span = from(&satellite, 36);
        let sight = one(&satellite, &station, span);
        let mut before = span.from_ms - 1;
        for pass in sight.passes() {
            prop_assert!(before < pass.rise_ms && pass.rise_ms <= pass.culmination_ms);
            prop_assert!(pass.culmination_ms <= pass.set_ms && pass.set_ms <= span.until_ms);
            prop_assert!(pass.elevation_max_deg >= minimum - 1e-3);
            before = pass.set_ms;
        }
        // A look every 50 s agrees, away from the edges.
        for ms in (span.from_ms..span.until_ms).step_by(50_000) {
            let elevation = look(&station, &satellite.state(ms).unwrap(), ms).elevation_deg;
            let within = |pass: &orbits::Pass| pass.rise_ms <= ms && ms <= pass.set_ms;
            let predicted = sight.passes().iter().any(within);
            prop_assert!(predicted == (elevation >= minimum) || (elevation - minimum).abs() < 1e-2);
        }
    }
}
