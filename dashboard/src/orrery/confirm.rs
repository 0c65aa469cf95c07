//! Asking before something is destroyed.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Out;

/// The flag of verbs that destroy something.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Confirm {
    /// Do not ask before doing it; nobody is asked either when stdin is no terminal.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

impl Confirm {
    /// Whether a person is to be asked.
    pub(crate) fn is_needed(self) -> bool {
        !self.yes && io::stdin().is_terminal()
    }

    /// Asks a person, if there is one to ask.
    ///
    /// # Errors
    /// The answer was not yes.
    pub(crate) fn ask(self, out: &Out, question: &str) -> Result<(), Failure> {
        if !self.is_needed() {
            return Ok(());
        }
        out.say(question);
        // Nobody is left to be asked when stderr is closed; the answer then decides.
        let _ = write!(io::stderr(), "Go on? [y/N] ");
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && is_yes(&answer) {
            return Ok(());
        }
        Err(
            Failure::new(Exit::Failed, "nothing was done: the answer was not yes")
                .hint("answer y, or give --yes"),
        )
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, yes) in [
            ("y\n", true),
            ("YES\n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yo\n", false),
        ] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
