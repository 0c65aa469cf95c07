//! Small named values that travel beside a payload: trace context, tokens, versions.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{Code, Error};

/// Named values beside a payload: at most 128, names of at most 255 bytes, all together at most
/// 32 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(Bytes, Bytes)>,
}

/// The most bytes that the metadata of one call may take on the wire.
const METADATA_BYTES_MAX: usize = 32 << 10;
/// The most values that a call may have beside its payload: each costs far more in memory than on
/// the wire.
const METADATA_VALUES_MAX: usize = 128;

impl Metadata {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets a value, replacing an earlier one of the same name.
    pub fn set(&mut self, name: &str, value: impl Into<Bytes>) {
        self.entries.retain(|(n, _)| n != name.as_bytes());
        self.entries
            .push((Bytes::copy_from_slice(name.as_bytes()), value.into()));
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.entries
            .iter()
            .find(|(n, _)| n == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// A value, if it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values, in the order they were set. Names that are not text are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.entries
            .iter()
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }

    /// Bytes on the wire.
    pub(crate) fn wire_len(&self) -> usize {
        self.entries
            .iter()
            .map(|(n, v)| 3 + n.len() + v.len())
            .sum()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let name_too_long = self.entries.iter().any(|(n, _)| n.len() > u8::MAX as usize);
        let too_many = self.entries.len() > METADATA_VALUES_MAX;
        if name_too_long || too_many || self.wire_len() > METADATA_BYTES_MAX {
            return Err(too_large());
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut BytesMut) {
        for (name, value) in &self.entries {
            out.put_u8(name.len() as u8);
            out.put_u16_le(value.len() as u16);
            out.extend_from_slice(name);
            out.extend_from_slice(value);
        }
    }

    /// Reads what arrived. The values are copied: they last as long as their call, and the buffer
    /// that they came in is far larger.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(too_large());
        }
        let mut bytes = Bytes::copy_from_slice(bytes);
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            let cut_off = || Error::new(Code::BadPayload, "bad-metadata", "metadata is cut off");
            if entries.len() == METADATA_VALUES_MAX {
                return Err(too_large());
            }
            let name_len = bytes.try_get_u8().map_err(|_| cut_off())? as usize;
            let value_len = bytes.try_get_u16_le().map_err(|_| cut_off())? as usize;
            if bytes.len() < name_len + value_len {
                return Err(cut_off());
            }
            entries.push((bytes.split_to(name_len), bytes.split_to(value_len)));
        }
        Ok(Self { entries })
    }
}

fn too_large() -> Error {
    let message = "metadata may have 128 values in 32 KiB, and each name 255 bytes";
    Error::new(Code::TooLarge, "metadata-too-large", message)
}
