//! Where a task can go, and which place is best.
