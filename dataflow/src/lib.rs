//! Streams of Arrow record batches through operators, with checkpoints.
