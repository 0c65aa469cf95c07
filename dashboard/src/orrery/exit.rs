//! Exit codes: the contract with scripts.

use std::process::ExitCode;

/// What the exit code of `orrery` means. A number is never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// What was asked for was done.
    Ok = 0,
    /// Something failed in a way that no other code names.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The fleet, or the service that was called, cannot be reached or is not ready.
    Unavailable = 4,
    /// What was asked for was understood and refused.
    Refused = 5,
    /// The time was up first.
    Timeout = 6,
}

impl Exit {
    /// Every code with its meaning, as `--help` and docs/cli.md say it.
    pub(crate) const TABLE: [(Self, &str); 7] = [
        (Self::Ok, "done"),
        (Self::Failed, "failed, in a way no other code names"),
        (Self::Usage, "the command line makes no sense"),
        (Self::NotFound, "what was named does not exist"),
        (
            Self::Unavailable,
            "the fleet or the service cannot be reached",
        ),
        (
            Self::Refused,
            "understood and refused: invalid, in conflict, or not allowed",
        ),
        (Self::Timeout, "the time was up first"),
    ];

    /// The section of `--help`.
    pub(crate) fn help() -> String {
        let lines = Self::TABLE.map(|(exit, means)| format!("  {}  {means}\n", exit as u8));
        format!("Exit codes:\n{}", lines.concat())
    }

    /// The code for an error that a server answered, or that kept us from asking.
    pub(crate) fn of(code: rpc::Code) -> Self {
        use rpc::Code;
        match code {
            Code::NotFound | Code::UnknownProcedure => Self::NotFound,
            Code::Unavailable | Code::ResourceExhausted => Self::Unavailable,
            Code::DeadlineExceeded => Self::Timeout,
            Code::BadPayload
            | Code::TooLarge
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::Conflict
            | Code::Unauthenticated
            | Code::PermissionDenied => Self::Refused,
            Code::Cancelled | Code::Protocol | Code::Internal => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_documentation_has_every_exit_code_with_the_same_words() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
        let text = std::fs::read_to_string(path).expect("docs/cli.md is there");
        for (exit, means) in Exit::TABLE {
            let row = format!("| {} | {means} |", exit as u8);
            assert!(text.contains(&row), "docs/cli.md has no row `{row}`");
        }
    }
}
