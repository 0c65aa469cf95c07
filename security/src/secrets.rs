//! What travels about secrets: a value in two structs, and nowhere in what they print.

use std::fmt;

use rpc::{Deserializable, Serializable};

/// Keeps a secret.
#[derive(Clone, PartialEq, Eq, Serializable, Deserializable)]
pub struct PutSecretArgs {
    /// Its name, as specs write it.
    pub name: String,
    /// Its value: text, or a list of bytes.
    #[serde(with = "crate::secrets::value")]
    #[schemars(with = "String")]
    pub value: Vec<u8>,
}

impl fmt::Debug for PutSecretArgs {
    /// Without the value: what is logged is no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutSecretArgs")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct PutSecretReply {
    /// How often it was put since there is one of this name.
    pub revision: u64,
}

/// Asks for a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetSecretArgs {
    /// Its name.
    pub name: String,
    /// Whom it is for, as in `web.0.1`; goes on record.
    #[serde(default)]
    pub reader: String,
}

/// A secret's value.
#[derive(Clone, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetSecretReply {
    /// Which revision this is.
    pub revision: u64,
    /// The value.
    #[serde(with = "crate::secrets::value")]
    #[schemars(with = "String")]
    pub value: Vec<u8>,
}

impl fmt::Debug for GetSecretReply {
    /// Without the value: what is logged is no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetSecretReply")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Forgets a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteSecretArgs {
    /// Its name.
    pub name: String,
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// How often it was put since there is one of this name.
    pub revision: u64,
    /// When it was put last, in milliseconds since the Unix epoch.
    pub put_ms: u64,
    /// Who put it last.
    pub put_by: String,
    /// Which key seals it on disk; no secret.
    pub key: String,
}

/// All secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListSecretsReply {
    /// By name.
    pub secrets: Vec<SecretInfo>,
}

/// All secrets are sealed with a new key.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RotateSecretsReply {
    /// How many were sealed anew.
    pub sealed: u64,
    /// How many could not be opened, and stay as they are.
    pub left: u64,
    /// Which key seals from now on; no secret.
    pub key: String,
}

/// A value on the wire: text where it is text and the codec is for people, else bytes. What is
/// wrong with one is said without repeating any of it.
pub(crate) mod value {
    use std::fmt;

    use serde::de::{Deserializer, Error, SeqAccess, Visitor};
    use serde::ser::Serializer;

    /// What is taken of a list before its bytes have arrived.
    const AHEAD_BYTES_MAX: usize = 4 << 10;

    pub(crate) fn serialize<S: Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(value) {
            Ok(text) if to.is_human_readable() => to.serialize_str(text),
            _ => to.serialize_bytes(value),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        if from.is_human_readable() {
            from.deserialize_any(Reader)
        } else {
            from.deserialize_byte_buf(Reader)
        }
    }

    struct Reader;

    fn wrong<E: Error>() -> E {
        E::custom("a secret's value is text, or a list of bytes from 0 to 255")
    }

    impl<'de> Visitor<'de> for Reader {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text, or a list of bytes")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
            Ok(text.as_bytes().to_vec())
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Vec<u8>, A::Error> {
            let ahead = bytes.size_hint().unwrap_or(0).min(AHEAD_BYTES_MAX);
            let mut all = Vec::with_capacity(ahead);
            while let Some(byte) = bytes.next_element().map_err(|_| wrong::<A::Error>())? {
                all.push(byte);
            }
            Ok(all)
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<Vec<u8>, E> {
            Err(wrong())
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Vec<u8>, E> {
            Err(wrong())
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<Vec<u8>, E> {
            Err(wrong())
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Vec<u8>, E> {
            Err(wrong())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_or_bytes_and_what_is_neither_is_not_repeated() {
        let read = |value: &str| {
            let text = format!(r#"{{"name":"db","value":{value}}}"#);
            serde_json::from_str::<PutSecretArgs>(&text)
        };
        assert_eq!(read(r#""hunter2""#).unwrap().value, b"hunter2");
        assert_eq!(read("[0,255]").unwrap().value, [0, 255]);
        for bad in [
            "48151623",
            "-48151623",
            "4815.5",
            "true",
            "[48151623]",
            "{\"4815\":1}",
        ] {
            let said = read(bad).unwrap_err().to_string();
            assert!(!said.contains("4815"), "{said}");
        }
        let shown = format!("{:?}", read(r#""hunter2""#).unwrap());
        assert!(
            shown.contains("db") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_no_text_is_written_as_bytes_and_reads_back() {
        for value in [b"text".to_vec(), vec![0, 159, 146, 150], Vec::new()] {
            let reply = GetSecretReply { revision: 3, value };
            let text = serde_json::to_string(&reply).unwrap();
            assert_eq!(
                serde_json::from_str::<GetSecretReply>(&text).unwrap(),
                reply
            );
        }
    }
}
