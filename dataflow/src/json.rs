//! Rows as JSON, an object a line.

mod decode;
mod encode;
mod time;

pub use decode::Decoder;
pub(crate) use encode::texts;
pub use encode::write_lines;
pub use time::{parse as timestamp, write as write_timestamp};
