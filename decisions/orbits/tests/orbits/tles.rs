//! Reading element sets, and what is said about wrong ones.

use crate::data::with_checksum;
use orbits::{ElementsError, Satellite, TleProblem, parse};
use proptest::prelude::*;

const ONE: &str = "1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992";
const TWO: &str = "2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008";

/// What is wrong with the text, as a user reads it.
fn complaint(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// `line` with other characters from this column (from 1) on, and the right checksum.
fn edited(line: &str, column: usize, with: &str) -> String {
    let mut line = line.to_owned();
    line.replace_range(column - 1..column - 1 + with.len(), with);
    with_checksum(&line)
}

#[test]
fn every_field_is_read_in_its_unit() {
    let tles = parse(&format!("{ONE}\n{TWO}\n")).unwrap();
    let tle = &tles[0];
    assert_eq!((tle.name.as_str(), tle.norad_id), ("", 25544));
    // 2020-07-12 21:16:00.999 UTC.
    assert_eq!(tle.epoch_ms(), 1_594_588_561_000);
    assert!((tle.drag - -0.31515e-4).abs() < 1e-12);
    assert_eq!((tle.inclination_deg, tle.node_deg), (51.6461, 221.2784));
    assert!((tle.eccentricity - 0.000_141_3).abs() < 1e-12);
    assert_eq!((tle.perigee_deg, tle.anomaly_deg), (89.1723, 280.4612));
    assert!((tle.motion_rev_day - 15.495_078_96).abs() < 1e-9);
}

#[test]
fn names_above_the_lines_may_have_a_zero_and_comments_mean_nothing() {
    let text =
        format!("# a day\n0 ISS (ZARYA)\r\n{ONE}\r\n{TWO}\r\n\n{ONE}\n{TWO}\nMIR\n{ONE}\n{TWO}");
    let names: Vec<String> = parse(&text)
        .unwrap()
        .into_iter()
        .map(|tle| tle.name)
        .collect();
    assert_eq!(names, ["ISS (ZARYA)", "", "MIR"]);
    assert_eq!(parse("").unwrap(), []);
}

#[test]
fn the_two_digits_of_a_year_mean_1957_to_2056() {
    let epoch = |year: &str, day: &str| {
        let one = edited(ONE, 19, &format!("{year}{day}"));
        parse(&format!("{one}\n{TWO}")).unwrap()[0].epoch_ms()
    };
    assert_eq!(epoch("70", "001.00000000"), 0);
    assert_eq!(epoch("57", "001.00000000"), -410_227_200_000);
    assert_eq!(epoch("00", "366.00000000"), 978_220_800_000);
    assert_eq!(epoch("56", "001.50000000"), 2_713_953_600_000);
}

#[test]
fn a_catalogue_number_above_99999_is_written_with_a_letter() {
    let both = |id: &str| format!("{}\n{}", edited(ONE, 3, id), edited(TWO, 3, id));
    let id = |text: &str| parse(&both(text)).unwrap()[0].norad_id;
    assert_eq!(
        [id("A0000"), id("H9999"), id("J0000")],
        [100_000, 179_999, 180_000]
    );
    assert_eq!(
        [id("N0000"), id("P0000"), id("Z9999")],
        [220_000, 230_000, 339_999]
    );
    let problem = complaint(&both("I0000"));
    assert_eq!(
        problem,
        "line 1: columns 3-7: the catalogue number (five digits, or Alpha-5) is \"I0000\""
    );
}

#[test]
fn an_error_says_which_line_which_columns_and_what_is_wrong() {
    let typed = ONE.replace("20194", "20195");
    assert_eq!(
        complaint(&format!("ISS\n{typed}\n{TWO}")),
        "line 2: the checksum in column 69 is '2', that of the line is 3"
    );
    assert_eq!(
        complaint(&format!("{ONE}\n{}", &TWO[..60])),
        "line 2: 60 columns, where an element line has 69"
    );
    assert_eq!(
        complaint(&format!("{ONE}\n{ONE}")),
        "line 2: expected line 2 of an element set"
    );
    assert_eq!(complaint(TWO), "line 1: expected line 1 of an element set");
    assert_eq!(complaint(ONE), "line 2: expected line 2 of an element set");
    assert_eq!(
        complaint(&format!("ISS\nMIR\n{ONE}")),
        "line 2: expected line 1 of an element set"
    );
    assert_eq!(
        complaint("ISS\n"),
        "line 2: expected line 1 of an element set"
    );
    assert_eq!(
        complaint(&format!("{ONE}\n{}", edited(TWO, 3, "25545"))),
        "line 2: satellite 25545, but the line above is about 25544"
    );
    assert_eq!(
        complaint(&format!("{}\n{TWO}", edited(ONE, 21, "400"))),
        "line 1: columns 21-32: the epoch's day of the year (1-367) is \"400.88612269\""
    );
    assert_eq!(
        complaint(&format!("{ONE}\n{}", edited(TWO, 9, "251.6461"))),
        "line 2: columns 9-16: the inclination (0-180) is \"251.6461\""
    );
    let accent = ONE.replace('U', "Ü");
    assert_eq!(complaint(&accent), "line 1: a character that is not ASCII");
}

#[test]
fn elements_of_no_orbit_are_refused_with_their_numbers() {
    let two = edited(TWO, 53, "99.00000000");
    let tle = &parse(&format!("{ONE}\n{two}")).unwrap()[0];
    let satellite = Satellite::new(tle);
    if let Err(ElementsError::NoOrbit { motion_rev_day, .. }) = satellite {
        assert!((motion_rev_day - 99.0).abs() < 1e-9);
    } else {
        // Whatever was made of it, it is below the ground.
        assert!(satellite.unwrap().state_after(0.0).is_err());
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(?s)([12] [0-9A-Z .-]{60,70}\n|.{0,80}){0,6}") {
        let _ = parse(&text);
    }

    #[test]
    fn one_changed_digit_never_passes_the_checksum(at in 2_usize..68, digit in 0_u8..10) {
        let mut line = ONE.as_bytes().to_vec();
        prop_assume!(line[at].is_ascii_digit() && line[at] != b'0' + digit);
        line[at] = b'0' + digit;
        let text = format!("{}\n{TWO}", String::from_utf8(line).unwrap());
        let error = parse(&text).unwrap_err();
        prop_assert_eq!(error.line, 1);
        let is_checksum = matches!(error.problem, TleProblem::Checksum { .. });
        prop_assert!(is_checksum);
    }
}
