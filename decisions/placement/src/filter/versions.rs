//! Versions and ranges of them.

use std::cmp::Ordering;

/// Whether a version is in a range, as in `>= 1.4, < 2`; `None` when either cannot be read. A
/// version is dotted numbers, missing ones are zero, with an optional `v` before. What follows a
/// `-` makes it come before the version without it; what follows a `+` does not count.
pub(super) fn is_in(version: &str, range: &str) -> Option<bool> {
    let version = Version::parse(version)?;
    let mut all = true;
    for bound in range.split(',') {
        let bound = bound.trim();
        let digits = bound.find(|c: char| !"<>=! ".contains(c))?;
        let (operator, limit) = bound.split_at(digits);
        let order = version.compare(&Version::parse(limit)?);
        all &= match operator.trim() {
            "" | "=" | "==" => order.is_eq(),
            "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => return None,
        };
    }
    Some(all)
}

struct Version<'a> {
    numbers: Vec<u64>,
    before: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next()?;
        let (numbers, before) = match text.split_once('-') {
            Some((numbers, before)) => (numbers, Some(before)),
            None => (text, None),
        };
        let numbers: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
        Some(Self {
            numbers: numbers.ok()?,
            before,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let number = |version: &Self, at: usize| version.numbers.get(at).copied().unwrap_or(0);
        let length = self.numbers.len().max(other.numbers.len());
        let numbers = (0..length).map(|at| number(self, at).cmp(&number(other, at)));
        let numbers = numbers.fold(Ordering::Equal, Ordering::then);
        numbers.then_with(|| match (self.before, other.before) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(mine), Some(theirs)) => prereleases(mine, theirs),
        })
    }
}

/// `rc2` before `rc10`, `alpha` before `beta`: numbers as numbers, the rest as text.
fn prereleases(mine: &str, theirs: &str) -> Ordering {
    let split = |text: &str| {
        let digits = text
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(text.len());
        let (word, number) = text.split_at(digits);
        (word.to_owned(), number.parse::<u64>().unwrap_or(0))
    };
    split(mine)
        .cmp(&split(theirs))
        .then_with(|| mine.cmp(theirs))
}
