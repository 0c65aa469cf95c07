//! Lines kept in this process's memory, by name: for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::columns::Batch;
use crate::failure::Halt;
use crate::json;
use crate::operators::{Operator, Output};

static KEPT: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

fn kept() -> MutexGuard<'static, BTreeMap<String, Vec<String>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines that sinks of this name were given since they were last taken.
pub fn take(name: &str) -> Vec<String> {
    kept().remove(name).unwrap_or_default()
}

/// How many lines wait under this name.
pub fn count(name: &str) -> usize {
    kept().get(name).map_or(0, Vec::len)
}

/// Keeps lines.
pub(super) struct Memory {
    name: String,
    buffer: Vec<u8>,
}

impl Memory {
    pub(super) fn new(name: String) -> Memory {
        Memory {
            name,
            buffer: Vec::new(),
        }
    }
}

impl Operator for Memory {
    fn batch(&mut self, _port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        self.buffer.clear();
        json::write_lines(&batch, &mut self.buffer);
        let lines = String::from_utf8_lossy(&self.buffer);
        let mut kept = kept();
        kept.entry(self.name.clone())
            .or_default()
            .extend(lines.lines().map(String::from));
        Ok(())
    }
}
