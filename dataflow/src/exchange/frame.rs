//! What is written on a connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};

use super::ChannelId;
use crate::columns::{ArrowError, Batch, SchemaRef};
use crate::inbox::{Barrier, Message};

/// A frame's payload is no longer than this.
const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Kind, channel, length of the metadata, length of all.
const HEADER_BYTES: usize = 21;

/// A message as a frame.
pub(super) fn encode(id: ChannelId, message: &Message) -> Result<Vec<u8>, ArrowError> {
    let (kind, payload) = match message {
        Message::Batch(batch) => return encode_batch(id, batch),
        Message::Watermark(time) => (1, time.to_le_bytes().to_vec()),
        Message::Barrier(barrier) => {
            let kind = if barrier.then_stop { 3 } else { 2 };
            (kind, barrier.epoch.to_le_bytes().to_vec())
        }
        Message::Stop => (4, Vec::new()),
        Message::End => (5, Vec::new()),
    };
    let mut frame = header(kind, id, 0, payload.len());
    frame.extend(payload);
    Ok(frame)
}

fn header(kind: u8, id: ChannelId, meta: usize, length: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + length);
    frame.push(kind);
    for word in [id.edge, id.from, id.to, meta as u32, length as u32] {
        frame.extend(word.to_le_bytes());
    }
    frame
}

fn encode_batch(id: ChannelId, batch: &Batch) -> Result<Vec<u8>, ArrowError> {
    let mut tracker = DictionaryTracker::new(true);
    let (options, mut context) = (IpcWriteOptions::default(), IpcWriteContext::default());
    let encoder = IpcDataGenerator::default();
    let (_, data) = encoder.encode(batch, &mut tracker, &options, &mut context)?;
    let length = data.ipc_message.len() + data.arrow_data.len();
    if length > FRAME_BYTES_MAX {
        return Err(ArrowError::IpcError(format!("a batch has {length} bytes")));
    }
    let mut frame = header(0, id, data.ipc_message.len(), length);
    frame.extend_from_slice(&data.ipc_message);
    frame.extend_from_slice(&data.arrow_data);
    Ok(frame)
}

/// What is read of a frame before its schema is known.
pub(super) struct Frame {
    pub(super) id: ChannelId,
    kind: u8,
    meta: Vec<u8>,
    body: Buffer,
}

fn malformed(detail: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a malformed frame: {detail}"),
    )
}

/// The next frame. Lengths are checked before anything is allocated.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Frame> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header)?;
    let word = |at: usize| {
        u32::from_le_bytes(
            header[1 + 4 * at..5 + 4 * at]
                .try_into()
                .expect("four bytes"),
        )
    };
    let id = ChannelId {
        edge: word(0),
        from: word(1),
        to: word(2),
    };
    let (meta, length) = (word(3) as usize, word(4) as usize);
    if length > FRAME_BYTES_MAX || meta > length {
        return Err(malformed(format!("{meta} of {length} bytes")));
    }
    let mut frame = Frame {
        id,
        kind: header[0],
        meta: vec![0; meta],
        body: Buffer::default(),
    };
    stream.read_exact(&mut frame.meta)?;
    let mut body = MutableBuffer::from_len_zeroed(length - meta);
    stream.read_exact(body.as_slice_mut())?;
    frame.body = body.into();
    Ok(frame)
}

impl Frame {
    /// The message, whose rows have this schema.
    pub(super) fn message(&self, schema: &SchemaRef) -> io::Result<Message> {
        let number = || -> io::Result<[u8; 8]> {
            self.body
                .as_slice()
                .try_into()
                .map_err(|_| malformed("a signal of another length"))
        };
        Ok(match self.kind {
            0 => Message::Batch(self.batch(schema).map_err(malformed)?),
            1 => Message::Watermark(i64::from_le_bytes(number()?)),
            2 | 3 => {
                let epoch = u64::from_le_bytes(number()?);
                Message::Barrier(Barrier {
                    epoch,
                    then_stop: self.kind == 3,
                })
            }
            4 => Message::Stop,
            5 => Message::End,
            kind => return Err(malformed(format!("kind {kind}"))),
        })
    }

    fn batch(&self, schema: &SchemaRef) -> Result<Batch, ArrowError> {
        let fault = |detail: String| ArrowError::IpcError(detail);
        let message =
            arrow_ipc::root_as_message(&self.meta).map_err(|error| fault(error.to_string()))?;
        let batch = message
            .header_as_record_batch()
            .ok_or_else(|| fault("no batch".into()))?;
        let version = message.version();
        let read = || {
            read_record_batch(
                &self.body,
                batch,
                schema.clone(),
                &HashMap::new(),
                None,
                &version,
            )
        };
        // Arrow asserts some of what a peer may get wrong, such as a buffer beyond the body.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(fault("its buffers do not fit".into())))
    }
}

/// Promises room for so many more rows of a channel.
pub(super) fn write_promise(stream: &mut impl Write, id: ChannelId, rows: u32) -> io::Result<()> {
    let mut promise = [0; 16];
    for (at, word) in [id.edge, id.from, id.to, rows].into_iter().enumerate() {
        promise[4 * at..4 * at + 4].copy_from_slice(&word.to_le_bytes());
    }
    stream.write_all(&promise)
}

/// The next promise.
pub(super) fn read_promise(stream: &mut impl Read) -> io::Result<(ChannelId, u32)> {
    let mut promise = [0; 16];
    stream.read_exact(&mut promise)?;
    let word =
        |at: usize| u32::from_le_bytes(promise[4 * at..4 * at + 4].try_into().expect("four bytes"));
    Ok((
        ChannelId {
            edge: word(0),
            from: word(1),
            to: word(2),
        },
        word(3),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::columns::{ArrayRef, Int64Array, StringArray, TimestampArray, Type};
    use crate::columns::{schema_with_time, times};

    const ID: ChannelId = ChannelId {
        edge: 1,
        from: 2,
        to: 3,
    };

    fn batch() -> Batch {
        let schema = schema_with_time(vec![Type::Text.field("name"), Type::Int.field("n")]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("a"), None, Some("long text")])),
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(TimestampArray::from(vec![7, 8, 9])),
        ];
        Batch::try_new(schema, columns).unwrap()
    }

    #[test]
    fn a_batch_arrives_as_it_was_sent() {
        let frame = encode(ID, &Message::Batch(batch())).unwrap();
        let read = read(&mut &frame[..]).unwrap();
        assert_eq!(read.id, ID);
        let Message::Batch(found) = read.message(&batch().schema()).unwrap() else {
            panic!("no batch");
        };
        assert_eq!(found, batch());
    }

    proptest::proptest! {
        #[test]
        fn a_malformed_frame_is_an_error_and_no_panic(
            changes in proptest::collection::vec((21usize..700, proptest::num::u8::ANY), 1..6),
        ) {
            let mut frame = encode(ID, &Message::Batch(batch())).unwrap();
            for (at, byte) in changes {
                let at = at % frame.len();
                frame[at.max(21)] = byte;
            }
            if let Ok(frame) = read(&mut &frame[..])
                && let Ok(Message::Batch(found)) = frame.message(&batch().schema())
            {
                proptest::prop_assert_eq!(times(&found).len(), found.num_rows());
            }
        }
    }
}
