//! One child command, shown before it runs and again, word for word, when it failed.

use std::path::Path;
use std::process::Command;

/// A program with its arguments and the variables it needs.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    pub(crate) program: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    /// Whether its stdout is data nobody wants to see.
    pub(crate) quiet: bool,
}

impl Step {
    /// A cargo command, its arguments as one line of words.
    pub(crate) fn cargo(title: &'static str, arguments: &str) -> Self {
        let arguments = arguments.split_whitespace().map(String::from).collect();
        Step {
            title,
            program: "cargo",
            arguments,
            environment: Vec::new(),
            quiet: false,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The line a person types to run this step alone.
    pub(crate) fn line(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for (name, value) in &self.environment {
            words.push(format!("{name}='{value}'"));
        }
        words.push(self.program.to_string());
        words.extend(self.arguments.iter().cloned());
        words.join(" ")
    }

    /// The child, not yet started, in the workspace's root.
    pub(crate) fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(&self.arguments)
            .current_dir(root)
            .stdin(std::process::Stdio::null());
        forget_own_package(&mut command);
        command.envs(self.environment.iter().copied());
        if self.quiet {
            command.stdout(std::process::Stdio::null());
        }
        command
    }

    /// Says what runs, runs it, and waits.
    ///
    /// # Errors
    /// When the program cannot be started or does not end with code 0.
    pub(crate) fn run(&self, root: &Path) -> Result<(), String> {
        eprintln!("==> {}: {}", self.title, self.line());
        let status = self
            .command(root)
            .status()
            .map_err(|error| format!("failed to start `{}`: {error}", self.program))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("ended with {status}"))
        }
    }
}

/// What Cargo tells xtask of its package has build scripts of others (ring's) run anew, and with
/// them much of the workspace is built once more.
fn forget_own_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}
