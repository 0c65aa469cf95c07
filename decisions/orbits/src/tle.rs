//! Two-line element sets: what their columns mean, and what can be wrong with them.
//!
//! Columns as in CelesTrak's description of the format (<https://celestrak.org/NORAD/documentation>).

use std::ops::RangeInclusive;

const LINE_COLUMNS: usize = 69;
const DAY_MS: f64 = 86_400_000.0;

/// One element set, as it was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Tle {
    /// The line above the two, without a leading `0 `; empty when there is none.
    pub name: String,
    /// The catalogue number; Alpha-5 (`T0000`) is decoded.
    pub norad_id: u32,
    /// The instant the elements hold for, in days since 1970-01-01 UTC.
    pub epoch_days: f64,
    /// The drag term B*, in 1 / Earth radii.
    pub drag: f64,
    /// Inclination, in degrees.
    pub inclination_deg: f64,
    /// Right ascension of the ascending node, in degrees.
    pub node_deg: f64,
    /// Eccentricity, without unit, in [0, 1).
    pub eccentricity: f64,
    /// Argument of perigee, in degrees.
    pub perigee_deg: f64,
    /// Mean anomaly, in degrees.
    pub anomaly_deg: f64,
    /// Mean motion (Kozai), in revolutions a day.
    pub motion_rev_day: f64,
}

impl Tle {
    /// The instant the elements hold for, in milliseconds since 1970-01-01 UTC, rounded.
    pub fn epoch_ms(&self) -> i64 {
        (self.epoch_days * DAY_MS).round() as i64
    }
}

/// What is wrong with a text of element sets, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TleError {
    /// The line of the text, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: TleProblem,
}

/// What can be wrong with a line of an element set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TleProblem {
    /// The line is longer or shorter than the format's 69 columns.
    #[error("{columns} columns, where an element line has 69")]
    Length {
        /// How many it has.
        columns: usize,
    },
    /// The line has characters that are not ASCII.
    #[error("a character that is not ASCII")]
    NotAscii,
    /// The checksum in column 69 is not that of the line.
    #[error("the checksum in column 69 is {found:?}, that of the line is {computed}")]
    Checksum {
        /// What column 69 has.
        found: char,
        /// What it would have to be.
        computed: u8,
    },
    /// Another line stands where this one should.
    #[error("expected line {expected} of an element set")]
    Order {
        /// 1 or 2.
        expected: u8,
    },
    /// The second line is about another satellite than the first.
    #[error("satellite {second}, but the line above is about {first}")]
    OtherSatellite {
        /// The first line's catalogue number.
        first: u32,
        /// The second line's.
        second: u32,
    },
    /// A field does not hold what it should.
    #[error("columns {from}-{until}: {field} is {text:?}")]
    Field {
        /// The first column of the field, from 1.
        from: usize,
        /// The last column of the field.
        until: usize,
        /// What the field means, and in which range it must be.
        field: &'static str,
        /// What it has.
        text: String,
    },
}

/// Reads all element sets of a text: two lines each, or three when the name stands above them.
/// Blank lines and lines that begin with `#` mean nothing.
///
/// # Errors
/// The first line that is wrong, and why. A set is never half read.
pub fn parse(text: &str) -> Result<Vec<Tle>, TleError> {
    let mut tles = Vec::new();
    let mut name = "";
    let mut first: Option<Line> = None;
    let mut last_line = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let at = |problem| TleError {
            line: index + 1,
            problem,
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        last_line = index + 1;
        match first.take() {
            Some(above) => {
                let below = Line::new(line, '2').map_err(at)?;
                tles.push(elements(name, above, below).map_err(|(above_it, problem)| {
                    TleError {
                        line: if above_it { above.number } else { index + 1 },
                        problem,
                    }
                })?);
                name = "";
            }
            None if line.starts_with("1 ") => {
                let mut line = Line::new(line, '1').map_err(at)?;
                line.number = index + 1;
                first = Some(line);
            }
            None if line.starts_with("2 ") && line.len() == LINE_COLUMNS => {
                return Err(at(TleProblem::Order { expected: 1 }));
            }
            None if !name.is_empty() => return Err(at(TleProblem::Order { expected: 1 })),
            None => name = line.strip_prefix("0 ").unwrap_or(line).trim(),
        }
    }
    match (first, name) {
        (None, "") => Ok(tles),
        (first, _) => Err(TleError {
            line: last_line + 1,
            problem: TleProblem::Order {
                expected: if first.is_some() { 2 } else { 1 },
            },
        }),
    }
}

/// A line of 69 ASCII columns whose checksum is right.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    number: usize,
}

impl<'a> Line<'a> {
    fn new(text: &'a str, starts_with: char) -> Result<Self, TleProblem> {
        if !text.is_ascii() {
            return Err(TleProblem::NotAscii);
        }
        if !text.starts_with(starts_with) {
            let expected = if starts_with == '1' { 1 } else { 2 };
            return Err(TleProblem::Order { expected });
        }
        if text.len() != LINE_COLUMNS {
            return Err(TleProblem::Length {
                columns: text.len(),
            });
        }
        let computed = checksum(&text[..LINE_COLUMNS - 1]);
        let found = char::from(text.as_bytes()[LINE_COLUMNS - 1]);
        // Some sources leave it blank.
        if found != ' ' && found.to_digit(10) != Some(u32::from(computed)) {
            return Err(TleProblem::Checksum { found, computed });
        }
        Ok(Self { text, number: 0 })
    }

    fn columns(&self, columns: RangeInclusive<usize>) -> &'a str {
        &self.text[columns.start() - 1..*columns.end()]
    }

    fn wrong(&self, columns: RangeInclusive<usize>, field: &'static str) -> TleProblem {
        TleProblem::Field {
            from: *columns.start(),
            until: *columns.end(),
            field,
            text: self.columns(columns).to_owned(),
        }
    }

    /// A number in these columns for which `holds` is true; `field` says what that is.
    fn number(
        &self,
        columns: RangeInclusive<usize>,
        field: &'static str,
        holds: impl Fn(f64) -> bool,
    ) -> Result<f64, TleProblem> {
        let text = self.columns(columns.clone()).trim();
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number
            .filter(|number| holds(*number))
            .ok_or_else(|| self.wrong(columns, field))
    }

    /// ` 28098-4` is 0.28098e-4: the point and the `e` are left out.
    fn exponential(
        &self,
        columns: RangeInclusive<usize>,
        field: &'static str,
    ) -> Result<f64, TleProblem> {
        let text = self.columns(columns.clone()).trim();
        let read = || {
            let (sign, digits) = match text.strip_prefix('-') {
                Some(digits) => (-1.0, digits),
                None => (1.0, text.strip_prefix('+').unwrap_or(text)),
            };
            let (mantissa, exponent) = digits.split_at_checked(digits.len().checked_sub(2)?)?;
            let mantissa: u32 = mantissa.trim().parse().ok()?;
            let exponent: i32 = exponent.trim().parse().ok()?;
            Some(sign * f64::from(mantissa) * 1e-5 * 10_f64.powi(exponent))
        };
        if text.is_empty() {
            return Ok(0.0);
        }
        read().ok_or_else(|| self.wrong(columns, field))
    }

    fn norad_id(&self) -> Result<u32, TleProblem> {
        let field = "the catalogue number (five digits, or Alpha-5)";
        let bytes = self.columns(3..=7).trim().as_bytes();
        let read = || {
            let (head, tail) = bytes.split_first()?;
            let head = match head {
                b'0'..=b'9' => u32::from(head - b'0'),
                b'A'..=b'H' => u32::from(head - b'A') + 10,
                b'J'..=b'N' => u32::from(head - b'J') + 18,
                b'P'..=b'Z' => u32::from(head - b'P') + 23,
                _ => return None,
            };
            tail.iter().try_fold(head, |id, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| id * 10 + u32::from(digit - b'0'))
            })
        };
        read().ok_or_else(|| self.wrong(3..=7, field))
    }
}

/// The sum of all digits, a minus counting one, modulo ten.
fn checksum(text: &str) -> u8 {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'-' => 1,
        _ => 0,
    };
    (text.bytes().map(value).sum::<u32>() % 10) as u8
}

/// The error's flag says whether it is about the line above.
fn elements(name: &str, above: Line, below: Line) -> Result<Tle, (bool, TleProblem)> {
    let (norad_id, epoch_days, drag) = first_line(above).map_err(|problem| (true, problem))?;
    second_line(name, (norad_id, epoch_days, drag), below).map_err(|problem| (false, problem))
}

fn first_line(line: Line) -> Result<(u32, f64, f64), TleProblem> {
    let norad_id = line.norad_id()?;
    let year = line.number(19..=20, "the epoch's year (00-99)", |year| year >= 0.0)?;
    let day = line.number(21..=32, "the epoch's day of the year (1-367)", |day| {
        (1.0..367.0).contains(&day)
    })?;
    let drag = line.exponential(54..=61, "the drag term (like 28098-4)")?;
    Ok((norad_id, epoch_days(year as i64, day), drag))
}

/// Two digits mean 1957 to 2056. A Gregorian year then has a leap day every fourth year.
fn epoch_days(year: i64, day: f64) -> f64 {
    let year = if year < 57 { 2000 + year } else { 1900 + year };
    let leap_days = (year - 1969).div_euclid(4);
    ((year - 1970) * 365 + leap_days) as f64 + day - 1.0
}

fn second_line(
    name: &str,
    (first, epoch_days, drag): (u32, f64, f64),
    line: Line,
) -> Result<Tle, TleProblem> {
    let second = line.norad_id()?;
    if first != second {
        return Err(TleProblem::OtherSatellite { first, second });
    }
    let turn = |degrees: f64| (0.0..=360.0).contains(&degrees);
    let digits = |sevenths: f64| sevenths >= 0.0 && sevenths.fract() == 0.0;
    Ok(Tle {
        name: name.to_owned(),
        norad_id: first,
        epoch_days,
        drag,
        inclination_deg: line.number(9..=16, "the inclination (0-180)", |degrees| {
            (0.0..=180.0).contains(&degrees)
        })?,
        node_deg: line.number(18..=25, "the ascending node (0-360)", turn)?,
        eccentricity: line.number(27..=33, "the eccentricity (seven digits)", digits)? * 1e-7,
        perigee_deg: line.number(35..=42, "the argument of perigee (0-360)", turn)?,
        anomaly_deg: line.number(44..=51, "the mean anomaly (0-360)", turn)?,
        motion_rev_day: line.number(53..=63, "the mean motion (above 0)", |motion| motion > 0.0)?,
    })
}
