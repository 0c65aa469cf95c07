//! Mistakes that are planted in the simulated world, to prove that the checkers would see them.

/// One planted mistake. The production decisions are never changed: the mistake is in how the
/// world around them uses them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    /// No mistake.
    #[default]
    None,
    /// A restarted agent takes any process with the recorded pid for its own.
    AdoptByPidOnly,
    /// A restarted agent forgets what its predecessor started.
    AdoptNothing,
    /// A restarted control plane forgets how often it has tried.
    BudgetResetOnRestart,
    /// An agent acts on assignments in the order in which they arrive.
    OrderWithoutRevision,
    /// An agent reports a stop when it has sent the signal.
    StopReportedEarly,
    /// The control plane tells agents before its changes are durable.
    TellBeforeDurable,
    /// A restarted control plane counts generations from what it still has records of.
    GenerationFromRecords,
    /// A late report brings an ended instance back.
    TerminalReopened,
    /// An agent whose instance ended starts it again by itself.
    AgentRestartsByItself,
    /// A node whose agent does not answer is declared lost although its processes may live.
    LostWithoutFence,
}

impl Mutant {
    /// Every mistake.
    pub const ALL: [Self; 10] = [
        Self::AdoptByPidOnly,
        Self::AdoptNothing,
        Self::BudgetResetOnRestart,
        Self::OrderWithoutRevision,
        Self::StopReportedEarly,
        Self::TellBeforeDurable,
        Self::GenerationFromRecords,
        Self::TerminalReopened,
        Self::AgentRestartsByItself,
        Self::LostWithoutFence,
    ];
}
