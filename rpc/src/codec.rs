//! How values become bytes and bytes become values.
//!
//! The only file that names bincode. Every decode is bounded: a length that a peer claims is
//! checked against the limit before anything is allocated.

use bytes::{BufMut, Bytes, BytesMut};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes_field;

/// The largest payload any limit can be raised to, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// How a payload is written; a byte in the frame's header says which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// bincode 2, standard configuration: the fleet among itself.
    #[default]
    Bincode,
    /// JSON: the gateway, the command line, other languages.
    Json,
}

impl Codec {
    pub(crate) fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Bincode),
            1 => Some(Self::Json),
            _ => None,
        }
    }

    pub(crate) fn to_wire(self) -> u8 {
        match self {
            Self::Bincode => 0,
            Self::Json => 1,
        }
    }
}

/// A payload that could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(String);

/// What can be written to the wire. Derive it; the methods are the codec's business.
pub trait Serializable: Serialize + JsonSchema {
    /// Appends `self` to `out`.
    ///
    /// # Errors
    /// [`CodecError`] if the value has no representation in this codec.
    fn encode(&self, codec: Codec, out: &mut BytesMut) -> Result<(), CodecError>
    where
        Self: Sized,
    {
        match codec {
            Codec::Bincode => {
                bincode::serde::encode_into_writer(self, Appender(out), CONFIGURATION)
                    .map_err(|e| CodecError(e.to_string()))
            }
            Codec::Json => {
                serde_json::to_writer(out.writer(), self).map_err(|e| CodecError(e.to_string()))
            }
        }
    }
}

/// What can be read from the wire. Derive it; the methods are the codec's business.
pub trait Deserializable: DeserializeOwned {
    /// Reads one value that fills `input` exactly.
    ///
    /// # Errors
    /// [`CodecError`] says what does not fit; bytes left over are an error too.
    fn decode(codec: Codec, input: &Bytes) -> Result<Self, CodecError> {
        match codec {
            Codec::Bincode => decode_bincode(input),
            // No bytes at all are an object without fields, so that `curl` needs no body.
            Codec::Json => {
                let text: &[u8] = if input.is_empty() { b"{}" } else { input };
                serde_json::from_slice(text).map_err(|e| CodecError(e.to_string()))
            }
        }
    }
}

const CONFIGURATION: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<PAYLOAD_BYTES_MAX>,
> = bincode::config::standard().with_limit::<PAYLOAD_BYTES_MAX>();

fn decode_bincode<T: DeserializeOwned>(input: &Bytes) -> Result<T, CodecError> {
    let (value, read) = bytes_field::slicing(input, || {
        bincode::serde::borrow_decode_from_slice(input, CONFIGURATION)
    })
    .map_err(|e| CodecError(e.to_string()))?;
    if read != input.len() {
        let left = input.len() - read;
        return Err(CodecError(format!(
            "{left} bytes are left over after the value"
        )));
    }
    Ok(value)
}

/// Lets bincode write straight into the connection's staging buffer.
struct Appender<'a>(&'a mut BytesMut);

impl bincode::enc::write::Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Nothing: the arguments or the result of a procedure that has none. `{}` in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rpc::Serializable, rpc::Deserializable)]
pub struct Empty {}

// Any procedure can be called without knowing its types, in JSON.
impl Serializable for serde_json::Value {}
impl Deserializable for serde_json::Value {}
