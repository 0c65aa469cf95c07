//! What a job holds while it runs, and what a machine has.

/// Amounts of the three resources that passes need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceRequest {
    /// Thousandths of a core.
    pub cpu_millicores: u32,
    /// Mebibytes.
    pub memory_mb: u32,
    /// Whole devices.
    pub gpu_count: u32,
}

impl ResourceRequest {
    /// Whether this much of everything fits into that much.
    #[must_use]
    pub fn fits(&self, room: &Self) -> bool {
        self.cpu_millicores <= room.cpu_millicores
            && self.memory_mb <= room.memory_mb
            && self.gpu_count <= room.gpu_count
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.saturating_add(other.cpu_millicores),
            memory_mb: self.memory_mb.saturating_add(other.memory_mb),
            gpu_count: self.gpu_count.saturating_add(other.gpu_count),
        }
    }

    /// What is left without the other; nothing of what the other has more of.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.saturating_sub(other.cpu_millicores),
            memory_mb: self.memory_mb.saturating_sub(other.memory_mb),
            gpu_count: self.gpu_count.saturating_sub(other.gpu_count),
        }
    }
}
