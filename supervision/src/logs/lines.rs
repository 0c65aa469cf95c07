//! Bytes into lines of bounded length.

/// The longest line; a longer one is given in pieces of this many bytes.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The position of its first byte in all that was written to the stream.
    pub offset: u64,
    /// What was written, without the newline. Anything: programs write binary and colours.
    pub bytes: Vec<u8>,
}

impl Line {
    /// As text that is safe to show: escape sequences and control characters are left out, what is
    /// not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let raw = String::from_utf8_lossy(&self.bytes);
        let mut text = String::with_capacity(raw.len());
        let mut chars = raw.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
                // A control sequence ends with its first byte from '@' to '~'.
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            } else if c == '\t' || !c.is_control() {
                text.push(c);
            }
        }
        text
    }
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    offset: u64,
    unfinished: Vec<u8>,
}

impl Splitter {
    pub(super) fn starting_at(offset: u64) -> Self {
        Self {
            offset,
            unfinished: Vec::new(),
        }
    }

    /// The position of the next byte it wants.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.unfinished.len() as u64
    }

    /// Goes on from another position, because what was in between is gone.
    pub(super) fn jump(&mut self, position: u64) -> Option<Line> {
        let unfinished = self.rest();
        self.offset = position;
        unfinished
    }

    pub(super) fn push(&mut self, bytes: &[u8], lines: &mut Vec<Line>) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            let (piece, ends) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            self.extend(piece, lines);
            if ends {
                let length = self.unfinished.len() as u64 + 1;
                lines.push(self.take());
                self.offset += length;
            }
        }
    }

    fn extend(&mut self, mut piece: &[u8], lines: &mut Vec<Line>) {
        while self.unfinished.len() + piece.len() > LINE_BYTES_MAX {
            let (now, later) = piece.split_at(LINE_BYTES_MAX - self.unfinished.len());
            self.unfinished.extend_from_slice(now);
            lines.push(self.take());
            self.offset += LINE_BYTES_MAX as u64;
            piece = later;
        }
        self.unfinished.extend_from_slice(piece);
    }

    fn take(&mut self) -> Line {
        Line {
            offset: self.offset,
            bytes: std::mem::take(&mut self.unfinished),
        }
    }

    /// What has no newline yet.
    pub(super) fn rest(&mut self) -> Option<Line> {
        if self.unfinished.is_empty() {
            return None;
        }
        let line = self.take();
        self.offset += line.bytes.len() as u64;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(u64, Vec<u8>)> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, &mut lines);
        }
        lines.extend(splitter.rest());
        lines
            .into_iter()
            .map(|line| (line.offset, line.bytes))
            .collect()
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let whole = split(&[b"one\n\ntwo\nth"]);
        assert_eq!(whole, split(&[b"o", b"ne\n", b"\ntw", b"o", b"\nth"]));
        let offsets: Vec<u64> = whole.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [0, 4, 5, 9]);
    }

    #[test]
    fn a_line_without_end_is_given_in_pieces() {
        let long = vec![b'x'; LINE_BYTES_MAX * 2 + 1];
        let pieces = split(&[&long, b"\nnext"]);
        let lengths: Vec<usize> = pieces.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX, 1, 4]);
        assert_eq!(pieces[3].0, long.len() as u64 + 1);
    }

    #[test]
    fn colours_and_control_characters_are_not_shown() {
        let line = Line {
            offset: 0,
            bytes: b"\x1b[1;31mred\x1b[0m\tbell\x07 \xff\x1b]0;title".to_vec(),
        };
        assert_eq!(line.text(), "red\tbell \u{fffd}]0;title");
    }
}
