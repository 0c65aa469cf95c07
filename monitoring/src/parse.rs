//! Reads OpenMetrics text.

use std::collections::BTreeMap;

use monitoring::limits::{LABELS_MAX, TEXT_BYTES_MAX};

/// One line that says something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// What the text says, and how many lines of it make no sense.
pub(crate) fn parse(text: &str) -> (Vec<Line>, usize) {
    let (mut lines, mut bad) = (Vec::new(), 0);
    for text in text.lines() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match line(text) {
            Some(line) => lines.push(line),
            None => bad += 1,
        }
    }
    (lines, bad)
}

fn line(text: &str) -> Option<Line> {
    let end = text.find(['{', ' '])?;
    let (name, rest) = text.split_at(end);
    if !is_name(name) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    // A time stamp or an exemplar may follow: when it was asked is known here.
    let value = rest.split_ascii_whitespace().next()?;
    Some(Line {
        name: name.to_owned(),
        labels,
        value: value.parse().ok()?,
    })
}

pub(crate) fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    let mut chars = name.chars();
    name.len() <= TEXT_BYTES_MAX
        && chars.next().is_some_and(letter)
        && chars.all(|c| letter(c) || c.is_ascii_digit())
}

/// Labels up to the closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        let fits = is_name(name) && value.len() <= TEXT_BYTES_MAX && labels.len() < LABELS_MAX;
        if !fits {
            return None;
        }
        labels.insert(name.to_owned(), value);
        rest = after;
    }
}

/// Text up to the closing quote, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_as_they_are_meant() {
        let text = "# TYPE a counter\n# HELP a words\n\
                    a_total{x=\"1\",y=\"a \\\"b\\\" \\n\"} 3 1700000000\n\
                    b 2.5e3\nc{} +Inf\nd{le=\"0.5\",} 1 # {trace=\"x\"} 9\n# EOF\n";
        let (lines, bad) = parse(text);
        assert_eq!(bad, 0);
        let told: Vec<(&str, usize, f64)> = lines
            .iter()
            .map(|l| (l.name.as_str(), l.labels.len(), l.value))
            .collect();
        let expected = [
            ("a_total", 2, 3.0),
            ("b", 0, 2500.0),
            ("c", 0, f64::INFINITY),
            ("d", 1, 1.0),
        ];
        assert_eq!(told, expected);
        assert_eq!(lines[0].labels["y"], "a \"b\" \n");
    }

    #[test]
    fn what_makes_no_sense_is_counted_and_passed_over() {
        let text = "1a 2\na\na{ 1\na{x=1} 1\na{x=\"1} 1\na{x=\"1\"} y\ngood 1\n{} 1\n";
        let (lines, bad) = parse(text);
        assert_eq!((lines.len(), bad), (1, 7));
    }

    proptest! {
        #[test]
        fn no_text_at_all_makes_it_panic(text in ".{0,300}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_label_at_all_makes_it_panic(text in "a\\{[a-z\"=\\\\,} é]{0,40}") {
            let _ = parse(&text);
        }
    }
}
