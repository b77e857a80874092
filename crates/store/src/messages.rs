//! Headers and payloads kept with events: written after the event that they belong to, compressed where that was asked
//! for. Most events have none.

use std::io::{Read, Write};

use base64ct::{Base64, Encoding};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use model::event::{LogPart, LoggedMessages};

use crate::{
    event_ref::{MessageRef, Packing},
    packed::{BlockError, write_number},
};

/// Most bytes that a stored message may unfold to: far more than a policy keeps.
const LARGEST: u64 = 64 << 20;

/// A text as it is.
pub(crate) fn plain(part: LogPart, text: &str) -> MessageRef<'_> {
    MessageRef { part, bytes: text.as_bytes(), total: 0, packing: Packing::Plain }
}

/// Appends messages after their number.
pub(crate) fn write(buffer: &mut Vec<u8>, messages: &[MessageRef<'_>]) {
    write_number(buffer, messages.len() as u64);
    for message in messages {
        let smaller = (message.packing == Packing::Compress).then(|| compress(message.bytes)).flatten();
        let compressed = smaller.is_some() || message.packing == Packing::Compressed;
        let bytes = smaller.as_deref().unwrap_or(message.bytes);
        buffer.push(message.part as u8);
        buffer.push(u8::from(compressed));
        write_number(buffer, message.total);
        write_number(buffer, bytes.len() as u64);
        buffer.extend_from_slice(bytes);
    }
}

/// `None` when it would not become smaller.
fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().filter(|compressed| compressed.len() < bytes.len())
}

/// Reads the messages of an event as they are stored; returns what follows them.
pub(crate) fn read<'a>(rest: &'a [u8], messages: &mut Vec<MessageRef<'a>>) -> Result<&'a [u8], BlockError> {
    let (count, mut rest) = postcard::take_from_bytes::<u32>(rest)?;
    for _ in 0..count {
        let ((part, compressed, total, bytes), after) =
            postcard::take_from_bytes::<(u8, bool, u64, &'a [u8])>(rest)?;
        let part = *LogPart::ALL.get(usize::from(part)).ok_or(BlockError::Damaged)?;
        let packing = if compressed { Packing::Compressed } else { Packing::Plain };
        messages.push(MessageRef { part, bytes, total, packing });
        rest = after;
    }
    Ok(rest)
}

/// Messages as people see them.
pub(crate) fn unpack(messages: &[MessageRef<'_>]) -> Result<LoggedMessages, BlockError> {
    let mut unpacked = LoggedMessages::default();
    for message in messages {
        let mut bytes = Vec::new();
        match message.packing {
            Packing::Compressed => {
                let mut decoder = DeflateDecoder::new(message.bytes).take(LARGEST);
                decoder.read_to_end(&mut bytes).map_err(|_| BlockError::Damaged)?;
            }
            Packing::Plain | Packing::Compress => bytes.extend_from_slice(message.bytes),
        }
        unpacked.set(message.part, text(bytes, message.total));
    }
    Ok(unpacked)
}

/// Bytes that are no text become a data URL; what was cut off is told at the end.
fn text(mut bytes: Vec<u8>, total: u64) -> String {
    let kept = bytes.len();
    // A character may have been cut in two.
    if total > 0
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    let mut text = String::from_utf8(bytes).unwrap_or_else(|error| {
        format!("data:application/octet-stream;base64,{}", Base64::encode_string(error.as_bytes()))
    });
    if total > 0 {
        text.push_str(&format!(" … [cut off: {kept} of {total} bytes were kept]"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        let long = "a".repeat(1_000);
        let message = |part, bytes, total, packing| MessageRef { part, bytes, total, packing };
        let messages = [
            message(LogPart::RequestHeaders, &b"{\"a\":\"b\"}"[..], 0, Packing::Plain),
            message(LogPart::ReqPayload, long.as_bytes(), 0, Packing::Compress),
            message(LogPart::NativeReqPayload, "aé".as_bytes().split_last().unwrap().1, 9, Packing::Plain),
            message(LogPart::ResPayload, &[0xff, 0, 1], 0, Packing::Compress),
        ];
        let mut buffer = Vec::new();
        write(&mut buffer, &messages);
        buffer.push(7);
        assert!(buffer.len() < 200, "{} bytes", buffer.len());
        let mut found = Vec::new();
        assert_eq!(read(&buffer, &mut found).unwrap(), [7]);
        // A merge writes again what it has read.
        let mut again = Vec::new();
        write(&mut again, &found);
        assert_eq!(again, buffer[..buffer.len() - 1]);
        let unpacked = unpack(&found).unwrap();
        assert_eq!(unpacked.request_headers.unwrap()["a"], "b");
        assert_eq!(unpacked.req_payload.unwrap(), long);
        assert_eq!(unpacked.native_req_payload.unwrap(), "a … [cut off: 2 of 9 bytes were kept]");
        assert_eq!(unpacked.res_payload.unwrap(), "data:application/octet-stream;base64,/wAB");
        assert!(read(&buffer[..5], &mut found).is_err());
    }
}
