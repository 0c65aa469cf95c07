//! Byte fields: read as a slice of the frame they came in, not copied, when they are large.
//!
//! serde hands a visitor a borrowed slice and knows nothing of the buffer behind it. The codec
//! therefore says, for the time of one decode on this thread, which buffer that is.

use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// A smaller slice is copied: it must not keep a whole read buffer alive for as long as somebody
/// keeps it.
const SLICED_BYTES_MIN: usize = 4 << 10;

thread_local! {
    static SOURCE: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
}

/// Decodes with `source` as the buffer that large byte fields are slices of.
pub(crate) fn slicing<T>(source: &Bytes, decode: impl FnOnce() -> T) -> T {
    /// Also when the decode panics.
    struct Restore(Bytes);
    impl Drop for Restore {
        fn drop(&mut self) {
            SOURCE.set(std::mem::take(&mut self.0));
        }
    }
    if source.len() < SLICED_BYTES_MIN {
        return decode();
    }
    let _restore = Restore(SOURCE.replace(source.clone()));
    decode()
}

/// Reads one byte field; the derive names this for every field of type `Bytes`.
///
/// # Errors
/// Whatever the format finds wrong.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    deserializer.deserialize_bytes(Reader)
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
        if bytes.len() < SLICED_BYTES_MIN {
            return Ok(Bytes::copy_from_slice(bytes));
        }
        Ok(SOURCE.with_borrow(|source| {
            let within = source.as_ptr_range().contains(&bytes.as_ptr())
                && bytes.as_ptr_range().end <= source.as_ptr_range().end;
            if within {
                source.slice_ref(bytes)
            } else {
                Bytes::copy_from_slice(bytes)
            }
        }))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Bytes, A::Error> {
        // What the other side claims is no reason to allocate.
        let mut all = Vec::with_capacity(bytes.size_hint().unwrap_or(0).min(SLICED_BYTES_MIN));
        while let Some(byte) = bytes.next_element()? {
            all.push(byte);
        }
        Ok(all.into())
    }
}
