//! The bytes on the wire. Pure: no I/O, no clock.
//!
//! A connection starts with a preface of 16 bytes from each side, and then is frames. A frame is
//! a header of 24 bytes, little-endian, then metadata, then the payload:
//!
//! ```text
//!  0  u32  length of what follows this field
//!  4  u8   kind
//!  5  u8   codec of the payload
//!  6  u16  length of the metadata
//!  8  u64  call: slot index in the low half, the slot's generation in the high half
//! 16  u32  procedure (request) | bytes of credit (credit)
//! 20  u32  milliseconds that remain until the deadline, 0 for none (request)
//! ```

use bytes::{Buf, Bytes, BytesMut};

use crate::{Codec, Error, Limits, Metadata, ProcedureId};

/// What every connection starts with: tells our protocol from HTTP on a shared port.
pub const PREFACE_MAGIC: [u8; 4] = *b"ORR\x01";
pub(crate) const PREFACE_BYTES: usize = 16;
pub(crate) const HEADER_BYTES: usize = 24;
const LENGTH_BYTES: usize = 4;

/// What a side tells the other before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preface {
    /// The largest frame it accepts.
    pub(crate) frame_bytes_max: u32,
    /// The credit that each stream towards it starts with.
    pub(crate) stream_window_bytes: u32,
}

impl Preface {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            frame_bytes_max: u32::try_from(limits.frame_bytes_max).unwrap_or(u32::MAX),
            // Without any credit no stream could start.
            stream_window_bytes: limits.stream_window_bytes.max(1),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; PREFACE_BYTES] {
        let mut bytes = [0; PREFACE_BYTES];
        bytes[..4].copy_from_slice(&PREFACE_MAGIC);
        bytes[4..8].copy_from_slice(&self.frame_bytes_max.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.stream_window_bytes.to_le_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8; PREFACE_BYTES]) -> Result<Self, Error> {
        let mut rest = &bytes[..];
        if rest[..4] != PREFACE_MAGIC {
            return Err(Error::protocol("the peer does not speak this protocol"));
        }
        rest.advance(4);
        let preface = Self {
            frame_bytes_max: rest.get_u32_le(),
            stream_window_bytes: rest.get_u32_le(),
        };
        if (preface.frame_bytes_max as usize) < HEADER_BYTES {
            return Err(Error::protocol("the peer accepts no frame at all"));
        }
        Ok(preface)
    }
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Whatever this side does not know: its call fails, and the connection goes on.
    Unknown = 0,
    /// Client: a call.
    Request = 1,
    /// Server: its result; the call is over.
    Response = 2,
    /// Server: its error; the call is over.
    Failure = 3,
    /// Server: one item of its stream.
    Item = 4,
    /// Server: its stream ended well; the call is over.
    End = 5,
    /// Client: the caller gave up.
    Cancel = 6,
    /// Client: so many bytes of items were taken.
    Credit = 7,
    /// Either: are you there?
    Ping = 8,
    /// Either: I am.
    Pong = 9,
    /// Server: make no further calls on this connection.
    GoAway = 10,
}

impl Kind {
    fn from_wire(byte: u8) -> Self {
        use Kind::{Cancel, Credit, End, Failure, GoAway, Item, Ping, Pong, Request, Response};
        let kinds = [
            Request, Response, Failure, Item, End, Cancel, Credit, Ping, Pong, GoAway,
        ];
        let known = kinds.get(usize::from(byte).wrapping_sub(1));
        known.copied().unwrap_or(Self::Unknown)
    }
}

/// A header, without its lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) codec: Codec,
    pub(crate) call: u64,
    /// Procedure or credit; kind and codec, of a frame that is not known.
    pub(crate) number: u32,
    pub(crate) remaining_ms: u32,
}

impl Header {
    pub(crate) fn new(kind: Kind, call: u64) -> Self {
        Self {
            kind,
            codec: Codec::Bincode,
            call,
            number: 0,
            remaining_ms: 0,
        }
    }

    pub(crate) fn request(
        codec: Codec,
        call: u64,
        procedure: ProcedureId,
        remaining_ms: u32,
    ) -> Self {
        Self {
            kind: Kind::Request,
            codec,
            call,
            number: procedure,
            remaining_ms,
        }
    }

    pub(crate) fn credit(call: u64, bytes: u32) -> Self {
        Self {
            number: bytes,
            ..Self::new(Kind::Credit, call)
        }
    }

    pub(crate) fn with_codec(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }
}

/// A frame that arrived whole.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) metadata: Bytes,
    pub(crate) payload: Bytes,
}

/// Appends a frame whose payload `write` appends. On error, or if the frame would be larger than
/// `frame_bytes_max`, `out` is as it was.
pub(crate) fn append<E: From<FrameTooLarge>>(
    out: &mut BytesMut,
    frame_bytes_max: usize,
    header: &Header,
    metadata: &Metadata,
    write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    let mut head = [0_u8; HEADER_BYTES];
    head[4] = header.kind as u8;
    head[5] = header.codec.to_wire();
    head[6..8].copy_from_slice(&(metadata.wire_len() as u16).to_le_bytes());
    head[8..16].copy_from_slice(&header.call.to_le_bytes());
    head[16..20].copy_from_slice(&header.number.to_le_bytes());
    head[20..24].copy_from_slice(&header.remaining_ms.to_le_bytes());
    out.extend_from_slice(&head);
    metadata.write(out);
    let written = write(out).and_then(|()| {
        let bytes = out.len() - start;
        if bytes > frame_bytes_max {
            return Err(FrameTooLarge {
                bytes,
                limit: frame_bytes_max,
            }
            .into());
        }
        Ok(())
    });
    if written.is_err() {
        out.truncate(start);
        return written;
    }
    let length = (out.len() - start - LENGTH_BYTES) as u32;
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Appends a frame that is nothing but its header.
pub(crate) fn append_bare(out: &mut BytesMut, header: &Header) {
    let written = append::<FrameTooLarge>(out, HEADER_BYTES, header, &Metadata::new(), |_| Ok(()));
    debug_assert!(written.is_ok(), "a bare header always fits");
}

/// A frame that may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame has {bytes} bytes; the limit is {limit}")]
pub(crate) struct FrameTooLarge {
    bytes: usize,
    limit: usize,
}

impl From<FrameTooLarge> for Error {
    fn from(e: FrameTooLarge) -> Self {
        Self::new(crate::Code::TooLarge, "frame-too-large", e.to_string())
            .with_hint("send less at a time, or raise `frame_bytes_max` on both sides")
    }
}

/// Takes the next frame out of `input`, or `None` if it has not arrived whole.
///
/// The length is checked first: after a frame over the limit the connection cannot go on. A frame
/// whose kind or codec is not known has an end all the same: it comes out as [`Kind::Unknown`].
pub(crate) fn take(input: &mut BytesMut, limit: usize) -> Result<Option<Frame>, Error> {
    let Some(length) = input.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let total = u32::from_le_bytes(*length) as usize + LENGTH_BYTES;
    if total > limit {
        return Err(FrameTooLarge {
            bytes: total,
            limit,
        }
        .into());
    }
    if total < HEADER_BYTES {
        return Err(Error::protocol("a frame is shorter than its header"));
    }
    if input.len() < total {
        return Ok(None);
    }
    let mut frame = input.split_to(total).freeze();
    let (header, metadata_len) = read_header(&frame);
    frame.advance(HEADER_BYTES);
    if metadata_len > frame.len() {
        return Err(Error::protocol("metadata is longer than its frame"));
    }
    let metadata = if metadata_len == 0 {
        Bytes::new()
    } else {
        frame.split_to(metadata_len)
    };
    Ok(Some(Frame {
        header,
        metadata,
        payload: frame,
    }))
}

fn read_header(bytes: &[u8]) -> (Header, usize) {
    let mut rest = &bytes[LENGTH_BYTES..HEADER_BYTES];
    let kind = rest.get_u8();
    let codec = rest.get_u8();
    let metadata_len = usize::from(rest.get_u16_le());
    let mut header = Header {
        kind: Kind::from_wire(kind),
        codec: Codec::from_wire(codec).unwrap_or_default(),
        call: rest.get_u64_le(),
        number: rest.get_u32_le(),
        remaining_ms: rest.get_u32_le(),
    };
    if header.kind == Kind::Unknown || Codec::from_wire(codec).is_none() {
        header.kind = Kind::Unknown;
        header.number = u32::from_le_bytes([kind, codec, 0, 0]);
    }
    (header, metadata_len)
}

/// What is said of a [`Kind::Unknown`].
pub(crate) fn not_understood(header: &Header) -> Error {
    let [kind, codec, ..] = header.number.to_le_bytes();
    let message = format!("no frame of kind {kind} in codec {codec} is known here");
    Error::new(crate::Code::Protocol, "unknown-frame", message)
        .with_hint("the peer may be of a newer version")
}

/// How many more bytes make the next frame whole; a hint for the reader's buffer.
pub(crate) fn missing(input: &BytesMut) -> usize {
    match input.first_chunk::<LENGTH_BYTES>() {
        Some(length) => {
            (u32::from_le_bytes(*length) as usize + LENGTH_BYTES).saturating_sub(input.len())
        }
        None => HEADER_BYTES,
    }
}

/// Appends a failure with the error as its payload.
pub(crate) fn append_failure(out: &mut BytesMut, limit: usize, codec: Codec, call: u64, e: &Error) {
    use crate::Serializable as _;
    let header = Header::new(Kind::Failure, call).with_codec(codec);
    let write = |out: &mut BytesMut| {
        e.encode(codec, out)
            .map_err(|e| Error::internal("codec", e.to_string()))
    };
    if append(out, limit, &header, &Metadata::new(), write).is_err() {
        // The error's own text is what does not fit: its class must still arrive.
        let brief = Error {
            message: String::new(),
            hint: String::new(),
            ..e.clone()
        };
        let write = |out: &mut BytesMut| {
            brief
                .encode(codec, out)
                .map_err(|e| Error::internal("codec", e.to_string()))
        };
        let written = append(out, usize::MAX, &header, &Metadata::new(), write);
        debug_assert!(written.is_ok(), "a brief error can always be written");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(header: &Header, metadata: &Metadata, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        let write = |out: &mut BytesMut| {
            out.extend_from_slice(payload);
            Ok::<(), FrameTooLarge>(())
        };
        append(&mut out, 1 << 20, header, metadata, write).expect("a small frame");
        out
    }

    #[test]
    fn a_request_has_these_bytes_for_ever() {
        let header = Header::request(Codec::Json, 0x0000_0002_0000_0001, 101, 1_500);
        let mut metadata = Metadata::new();
        metadata.set("k", "vv");
        let bytes = frame(&header, &metadata, b"{}");
        let expected: &[u8] = &[
            28, 0, 0, 0, // length: 20 of header, 6 of metadata, 2 of payload
            1, 1, 6, 0, // request, JSON, metadata
            1, 0, 0, 0, 2, 0, 0, 0, // slot 1, generation 2
            101, 0, 0, 0, // procedure
            0xdc, 5, 0, 0, // 1500 ms
            1, 2, 0, b'k', b'v', b'v', b'{', b'}',
        ];
        assert_eq!(&bytes[..], expected);
    }

    #[test]
    fn a_frame_that_would_be_too_large_leaves_no_trace() {
        let mut out = BytesMut::from(&b"before"[..]);
        let write = |out: &mut BytesMut| {
            out.extend_from_slice(&[0; 100]);
            Ok::<(), FrameTooLarge>(())
        };
        let header = Header::new(Kind::Response, 1);
        assert!(append(&mut out, 64, &header, &Metadata::new(), write).is_err());
        assert_eq!(&out[..], b"before");
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let good = frame(&Header::new(Kind::Ping, 1), &Metadata::new(), b"");
        let broken = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            take(&mut bytes, 1 << 20)
        };
        for (at, byte) in [(4, 0), (4, 200), (5, 9)] {
            let frame = broken(at, byte).expect("its end is known").expect("whole");
            assert_eq!(frame.header.kind, Kind::Unknown, "byte {at} is {byte}");
        }
        assert!(broken(6, 1).is_err(), "metadata longer than the frame");
        assert!(broken(0, 3).is_err(), "shorter than a header");
        assert!(broken(3, 255).is_err(), "longer than the limit");
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_frames_or_an_error(
            bytes: Vec<u8>, cuts in proptest::collection::vec(1_usize..40, 0..20),
        ) {
            let mut input = BytesMut::new();
            let mut rest = &bytes[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                input.extend_from_slice(piece);
                rest = after;
                while let Ok(Some(frame)) = take(&mut input, 4096) {
                    prop_assert!(frame.payload.len() <= 4096);
                }
            }
        }

        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            payloads in proptest::collection::vec(any::<Vec<u8>>(), 1..8), piece in 1_usize..64,
        ) {
            let mut wire = BytesMut::new();
            for (n, payload) in payloads.iter().enumerate() {
                let header = Header::new(Kind::Response, n as u64);
                wire.extend_from_slice(&frame(&header, &Metadata::new(), payload));
            }
            let mut input = BytesMut::new();
            let mut seen = Vec::new();
            for piece in wire.chunks(piece) {
                input.extend_from_slice(piece);
                while let Some(frame) = take(&mut input, 1 << 20).expect("good frames") {
                    prop_assert_eq!(frame.header.call, seen.len() as u64);
                    seen.push(frame.payload.to_vec());
                }
            }
            prop_assert_eq!(seen, payloads);
        }
    }
}
