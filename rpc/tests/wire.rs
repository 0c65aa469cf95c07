//! The bytes on the wire: pinned, and never trusted.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rpc::{Codec, Deserializable, Empty, Error, Serializable};

#[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
struct Everything {
    flag: bool,
    small: u8,
    number: u64,
    signed: i32,
    text: String,
    bytes: Bytes,
    maybe: Option<String>,
    list: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
enum Choice {
    Nothing,
    Number(u32),
    Named { name: String },
}

fn sample() -> Everything {
    Everything {
        flag: true,
        small: 7,
        number: 300,
        signed: -2,
        text: "pass".into(),
        bytes: Bytes::from_static(&[1, 2]),
        maybe: None,
        list: vec![
            Choice::Nothing,
            Choice::Number(9),
            Choice::Named { name: "x".into() },
        ],
    }
}

fn encode<T: Serializable>(codec: Codec, value: &T) -> Bytes {
    let mut out = BytesMut::new();
    value
        .encode(codec, &mut out)
        .expect("a value that can be written");
    out.freeze()
}

#[test]
fn the_bytes_of_every_kind_of_field_are_these_for_ever() {
    let bytes = encode(Codec::Bincode, &sample());
    let expected = [
        1, // flag
        7, // small
        251, 44, 1, // 300: a marker for two bytes, then little-endian
        3, // -2, zigzag
        4, b'p', b'a', b's', b's', // text: length, then UTF-8
        2, 1, 2, // bytes: length, then themselves
        0, // none
        3, 0, 1, 9, 2, 1, b'x', // list: length, then each choice with its number
    ];
    assert_eq!(bytes.as_ref(), expected);
    assert_eq!(Everything::decode(Codec::Bincode, &bytes), Ok(sample()));
}

#[test]
fn the_json_of_every_kind_of_field_is_what_a_person_would_write() {
    let json = encode(Codec::Json, &sample());
    let expected = concat!(
        r#"{"flag":true,"small":7,"number":300,"signed":-2,"text":"pass","bytes":[1,2],"#,
        r#""maybe":null,"list":["Nothing",{"Number":9},{"Named":{"name":"x"}}]}"#,
    );
    assert_eq!(std::str::from_utf8(&json), Ok(expected));
    assert_eq!(Everything::decode(Codec::Json, &json), Ok(sample()));
    assert_eq!(
        Empty::decode(Codec::Json, &Bytes::new()),
        Ok(Empty {}),
        "no body means no fields"
    );
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    // A list of 2^61 elements, a text of 2^60 bytes: nine bytes each.
    for claimed in [1_u64 << 61, 1 << 60, u64::MAX] {
        let mut hostile = vec![253];
        hostile.extend_from_slice(&claimed.to_le_bytes());
        let hostile = Bytes::from(hostile);
        assert!(Names::decode(Codec::Bincode, &hostile).is_err());
    }
}

#[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
struct Names {
    names: Vec<String>,
}

#[test]
fn large_byte_fields_are_slices_of_the_frame_and_small_ones_are_not() {
    #[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
    struct Two {
        small: Bytes,
        large: Bytes,
    }
    let value = Two {
        small: Bytes::from(vec![1; 100]),
        large: Bytes::from(vec![2; 100_000]),
    };
    let frame = encode(Codec::Bincode, &value);
    let read = Two::decode(Codec::Bincode, &frame).expect("what was written");
    assert_eq!(read, value);
    let within = |bytes: &Bytes| frame.as_ptr_range().contains(&bytes.as_ptr());
    assert!(within(&read.large), "a large field is not copied");
    assert!(
        !within(&read.small),
        "a small field does not keep the frame alive"
    );
}

#[test]
fn bytes_left_over_are_an_error() {
    let mut bytes = BytesMut::from(&encode(Codec::Bincode, &sample())[..]);
    bytes.extend_from_slice(&[0]);
    let error = Everything::decode(Codec::Bincode, &bytes.freeze()).expect_err("one too many");
    assert!(error.to_string().contains("left over"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error_and_never_a_panic(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        for codec in [Codec::Bincode, Codec::Json] {
            let _ = Everything::decode(codec, &bytes);
            let _ = Error::decode(codec, &bytes);
            let _ = rpc::Description::decode(codec, &bytes);
        }
    }

    #[test]
    fn what_was_written_is_what_is_read(
        flag: bool, small: u8, number: u64, signed: i32, text: String, bytes: Vec<u8>,
        maybe: Option<String>, numbers: Vec<u32>,
    ) {
        let list = numbers.into_iter().map(Choice::Number).collect();
        let bytes = Bytes::from(bytes);
        let value = Everything { flag, small, number, signed, text, bytes, maybe, list };
        for codec in [Codec::Bincode, Codec::Json] {
            let read = Everything::decode(codec, &encode(codec, &value));
            prop_assert_eq!(read.as_ref(), Ok(&value));
        }
    }
}
