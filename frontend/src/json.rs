//! JSON that passes through: looked at, never taken apart and put together again.

use bytes::{Bytes, BytesMut};
use rpc::{Codec, CodecError, Deserializable, Serializable};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Up to this size a payload is copied out of the buffer that it came in, which is far larger and
/// would last as long as a slow reader.
const COPY_BYTES_MAX: usize = 4 << 10;

/// Text that is JSON. Numbers keep every digit, and nothing is allocated but the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Json(Bytes);

impl Json {
    /// What a caller sent; nothing at all is an object without fields. Takes time and memory in
    /// proportion to its length, however deep it is.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub(crate) fn parse(text: Bytes) -> Result<Self, serde_json::Error> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(Bytes::from_static(b"{}")));
        }
        serde_json::from_slice::<IgnoredAny>(&text)?;
        Ok(Self(text))
    }

    /// The text.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The lines of the text: JSON may have some between its words.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.0.split(|byte| matches!(byte, b'\n' | b'\r'));
        lines.filter(|line| !line.is_empty())
    }

    fn value(&self) -> Value {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}

impl Serializable for Json {
    fn encode(&self, codec: Codec, out: &mut BytesMut) -> Result<(), CodecError> {
        if codec == Codec::Json {
            out.extend_from_slice(&self.0);
            return Ok(());
        }
        self.value().encode(codec, out)
    }
}

impl Deserializable for Json {
    fn decode(codec: Codec, input: &Bytes) -> Result<Self, CodecError> {
        if codec != Codec::Json {
            return Ok(Self(Value::decode(codec, input)?.to_string().into()));
        }
        if input.len() > COPY_BYTES_MAX {
            return Ok(Self(input.clone()));
        }
        Ok(Self(Bytes::copy_from_slice(input)))
    }
}

// What follows is asked for by the two traits above, and used by none of their JSON.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.to_string().into()))
    }
}

impl JsonSchema for Json {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Value::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Json, serde_json::Error> {
        Json::parse(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn json_passes_through_as_it_is() {
        for text in [
            "{\"n\":123456789012345678901234567890,\"n\":0.10}",
            "[1, 2]",
            "\"\u{e9}\"",
        ] {
            let mut out = BytesMut::new();
            parse(text).unwrap().encode(Codec::Json, &mut out).unwrap();
            assert_eq!(out, text.as_bytes());
            let back = Json::decode(Codec::Json, &out.freeze()).unwrap();
            assert_eq!(back.into_bytes(), text.as_bytes());
        }
        for nothing in ["", " \r\n\t"] {
            assert_eq!(parse(nothing).unwrap().into_bytes(), "{}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_with_its_place() {
        for (text, line, column) in [("{", 1, 1), ("{}\n x", 2, 2), ("{\"a\":\n01}", 2, 2)] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.line(), error.column()), (line, column), "{text}");
        }
    }

    #[test]
    fn the_lines_of_a_text_are_what_an_event_may_carry() {
        let json = parse("{\r\n\"a\": 1\r}\n").unwrap();
        assert_eq!(
            json.lines().collect::<Vec<_>>(),
            [&b"{"[..], b"\"a\": 1", b"}"]
        );
    }
}
