//! `orrery man`: the manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Write a manual page for every verb.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery man ~/.local/share/man/man1
  man orrery-release-start")]
pub(crate) struct Man {
    /// Where: a folder of the manual's first section, which is made when it is not there.
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self, session: &Session) -> Result<(), Failure> {
        let folder = &self.folder;
        write(folder).map_err(|error| {
            let what = format!(
                "failed to write manual pages to {}: {error}",
                folder.display()
            );
            Failure::new(Exit::Failed, what)
        })?;
        session
            .out
            .say(format_args!("manual pages are in {}", folder.display()));
        session.out.suggest("read one", "man orrery");
        Ok(())
    }
}

fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::{Cli, CommandFactory, write};

    #[test]
    fn every_verb_has_a_page_with_its_flags_and_examples() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let page = |name: &str| {
            let path = folder.path().join(format!("{name}.1"));
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let mut cli = Cli::command();
        cli.build();
        let verbs = cli
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help");
        for verb in verbs {
            let text = page(&format!("orrery-{}", verb.get_name()));
            assert!(text.contains("Examples:"), "{}", verb.get_name());
        }
        assert!(page("orrery-release-start").contains("canary"));
        assert!(page("orrery").contains("SUBCOMMANDS"));
    }
}
