//! Text that others wrote, made safe to show: names, messages and log lines may hold anything.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal acts on this character instead of showing it: control characters, and the
/// ones that turn the direction of what follows or take no room at all.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

fn escape_with(text: &str, keep: Option<char>, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    let acts = |c| is_active(c) && Some(c) != keep;
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            write(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Text on one line that no terminal acts on: `\x1b` instead of an escape, `\n` instead of a line
/// end. Tabs become one space.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape_with(text, None, |out, c| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push(' '),
        '\u{7f}' | '\0'..='\u{1f}' => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        _ => out.extend(c.escape_unicode()),
    })
}

/// JSON text that no terminal acts on, and that is still the same JSON: serde_json leaves some
/// such characters as they are in strings, and nowhere else can they be.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    escape_with(text, Some('\n'), |out, c| {
        let _ = write!(out, "\\u{:04x}", u32::from(c));
    })
}

#[cfg(test)]
mod tests {
    use super::{json, line};

    #[test]
    fn a_terminal_acts_on_nothing_that_a_service_wrote() {
        for (given, shown) in [
            ("plain, with ünïcode ✓", "plain, with ünïcode ✓"),
            ("\u{1b}]0;owned\u{7}", "\\x1b]0;owned\\x07"),
            ("two\nlines\r", "two\\nlines\\r"),
            ("a\tb", "a b"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("nul\0", "nul\\x00"),
        ] {
            assert_eq!(line(given), shown);
        }
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({ "text": "\u{9b}31m \u{202e} \u{1b} \u{7f}" });
        let text = serde_json::to_string_pretty(&value).expect("it is JSON");
        let shown = json(&text);
        assert!(
            !shown.chars().any(|c| c.is_control() && c != '\n'),
            "{shown}"
        );
        let back: serde_json::Value = serde_json::from_str(&shown).expect("it is still JSON");
        assert_eq!(back, value);
    }
}
