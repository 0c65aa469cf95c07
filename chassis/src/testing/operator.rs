//! Somebody at a terminal: the real `orrery`, told where the fleet of a test is.

use std::net::SocketAddr;
use std::process::Command;

use super::{NOWHERE, workspace_binary};

/// Somebody at a terminal.
pub struct Operator {
    discovery: SocketAddr,
    scheduling: String,
    token: String,
}

impl Operator {
    /// Of the fleet of this discovery, without a token and without scheduling: one that happens to
    /// run on this machine is not found.
    #[must_use]
    pub fn of(discovery: SocketAddr) -> Self {
        Self {
            discovery,
            scheduling: NOWHERE.to_owned(),
            token: String::new(),
        }
    }

    /// Who knows where scheduling is.
    #[must_use]
    pub fn with_scheduling(mut self, address: SocketAddr) -> Self {
        self.scheduling = address.to_string();
        self
    }

    /// Who shows this token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Runs `orrery`: whether it ended well, and what it wrote, errors after the rest.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> (bool, String) {
        let mut orrery = Command::new(workspace_binary("orrery"));
        orrery.env("ORRERY_ADDRESS", &self.scheduling);
        orrery.env("ORRERY_DISCOVERY", self.discovery.to_string());
        orrery.env("ORRERY_TOKEN", &self.token).args(args);
        let output = orrery.output().expect("orrery");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }

    /// What it says, when all is well.
    ///
    /// # Panics
    /// If it does not end well.
    pub fn says(&self, args: &[&str]) -> String {
        let (well, text) = self.run(args);
        assert!(well, "{args:?}: {text}");
        text
    }

    /// What it says to something that it does not do.
    ///
    /// # Panics
    /// If it does it.
    pub fn refuses(&self, args: &[&str]) -> String {
        let (well, text) = self.run(args);
        assert!(!well, "{args:?}: {text}");
        text
    }
}
