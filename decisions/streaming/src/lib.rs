//! What a streaming job does next.
