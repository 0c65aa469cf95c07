//! A payload that is passed on as it is.

use bytes::{Bytes, BytesMut};
use rpc::{Codec, CodecError, Deserializable, Serializable};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that somebody else wrote and somebody else reads.
#[derive(Clone, Debug)]
pub(super) struct Raw(pub(super) Bytes);

impl Serializable for Raw {
    fn encode(&self, _: Codec, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

impl Deserializable for Raw {
    fn decode(_: Codec, input: &Bytes) -> Result<Self, CodecError> {
        Ok(Self(input.clone()))
    }
}

// What the two above are asked instead of.
impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bytes::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Raw {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Raw".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}
