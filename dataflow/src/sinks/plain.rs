//! Sinks that promise nothing.

use std::io::Write as _;

use crate::columns::Batch;
use crate::failure::{Failure, Halt};
use crate::json;
use crate::operators::{Operator, Output};

/// Writes lines to standard output.
#[derive(Default)]
pub(super) struct Stdout(Vec<u8>);

impl Operator for Stdout {
    fn batch(&mut self, _port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        self.0.clear();
        json::write_lines(&batch, &mut self.0);
        let mut out = std::io::stdout().lock();
        out.write_all(&self.0)
            .and_then(|()| out.flush())
            .map_err(|error| Failure::io("failed to write to standard output", &error).into())
    }
}

/// Forgets all rows.
pub(super) struct Blackhole;

impl Operator for Blackhole {
    fn batch(&mut self, _port: u32, _batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        Ok(())
    }
}
