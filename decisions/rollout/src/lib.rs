//! Waves, canaries, gates, revert: how a fleet goes from one version to the next.
