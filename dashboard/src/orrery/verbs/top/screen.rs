//! The terminal as a screen: taken for a while, and given back as it was.

use std::io::{self, Write};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::{cursor, execute, queue, terminal};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::failure::Failure;

/// What the operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Pressed q, Esc or Ctrl-C, or ended us with a signal.
    Quit,
    /// Changed the size of the terminal.
    Resized,
}

/// The terminal, taken; dropping this gives it back.
pub(super) struct Screen {
    terminated: Signal,
    /// Waits for a key; only one may, or they would take them from each other.
    reading: Option<JoinHandle<io::Result<Option<Key>>>>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> Result<Self, Failure> {
        let terminated = signal(SignalKind::terminate())?;
        terminal::enable_raw_mode()?;
        let screen = Self {
            terminated,
            reading: None,
        };
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Shows text, as much of it as the terminal has lines; the rest is counted.
    pub(super) fn draw(&mut self, text: &str) -> Result<(), Failure> {
        let rows = terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let mut out = io::stdout().lock();
        queue!(out, terminal::BeginSynchronizedUpdate, cursor::MoveTo(0, 0))?;
        for line in clipped(text, rows) {
            write!(out, "{line}")?;
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
            write!(out, "\r\n")?;
        }
        write!(out, "q ends")?;
        queue!(
            out,
            terminal::Clear(terminal::ClearType::FromCursorDown),
            terminal::EndSynchronizedUpdate
        )?;
        Ok(out.flush()?)
    }

    /// What the operator does within this time, if anything.
    pub(super) async fn key_within(&mut self, patience: Duration) -> Option<Key> {
        let reading = self.reading.get_or_insert_with(|| spawn_blocking(read_key));
        let timer = tokio::time::sleep(patience);
        tokio::pin!(timer);
        loop {
            tokio::select! {
                () = &mut timer => return None,
                _ = self.terminated.recv() => return Some(Key::Quit),
                key = &mut *reading => match key {
                    Ok(Ok(Some(key))) => {
                        self.reading = None;
                        return Some(key);
                    }
                    Ok(Ok(None)) => *reading = spawn_blocking(read_key),
                    // A terminal that cannot be read is gone.
                    Ok(Err(_)) | Err(_) => return Some(Key::Quit),
                },
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

fn read_key() -> io::Result<Option<Key>> {
    Ok(match event::read()? {
        Event::Resize(..) => Some(Key::Resized),
        Event::Key(key) => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
                KeyCode::Char('c') if control => Some(Key::Quit),
                _ => None,
            }
        }
        _ => None,
    })
}

/// The lines that fit above the last row, which says how to end.
fn clipped(text: &str, rows: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let room = rows.saturating_sub(1).max(1);
    if lines.len() <= room {
        return lines.iter().map(|line| (*line).to_owned()).collect();
    }
    let shown = room - 1;
    let mut clipped: Vec<String> = lines[..shown].iter().map(|l| (*l).to_owned()).collect();
    clipped.push(format!("... and {} lines more", lines.len() - shown));
    clipped
}

#[cfg(test)]
mod tests {
    use super::clipped;

    #[test]
    fn what_does_not_fit_is_counted_and_not_scrolled() {
        let text = "1\n2\n3\n4\n";
        assert_eq!(clipped(text, 5), ["1", "2", "3", "4"]);
        assert_eq!(clipped(text, 4), ["1", "2", "... and 2 lines more"]);
        assert_eq!(clipped(text, 0), ["... and 4 lines more"]);
    }
}
