//! Decides where a packet of Git's framing begins and ends: four hexadecimal digits of length, then the payload.
use std::io::Read;

/// One packet (gitprotocol-common(5), "pkt-line").
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// `0000`: the end of a section.
    Flush,
    /// Its payload, to the last byte.
    Payload(&'a [u8]),
}

/// `0000`, the end of a section.
pub(super) const FLUSH: &[u8] = b"0000";

/// The most that a payload may have: the length has four digits and counts itself.
const LARGEST_PAYLOAD: usize = 65_516;

/// Reads one packet into `buffer`, which is used again for the next.
///
/// # Errors
/// What is wrong with `what`, where it ends early or is not framed.
pub(super) fn read_packet<'a>(
    what: &str,
    reader: &mut impl Read,
    buffer: &'a mut Vec<u8>,
) -> Result<Packet<'a>, String> {
    let cut_short = |_| format!("{what} ends in the middle");
    let mut length = [0; 4];
    reader.read_exact(&mut length).map_err(cut_short)?;
    let length = std::str::from_utf8(&length).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok());
    match length {
        Some(0) => Ok(Packet::Flush),
        Some(length @ 4..) => {
            buffer.resize(usize::from(length) - 4, 0);
            reader.read_exact(buffer).map_err(cut_short)?;
            Ok(Packet::Payload(buffer))
        }
        Some(1..4) | None => Err(format!("{what} is not in packets")),
    }
}

/// A payload that is text, without its line feed.
pub(super) fn line(payload: &[u8]) -> &[u8] {
    payload.strip_suffix(b"\n").unwrap_or(payload)
}

/// A packet with this payload; `None` where it is too long for one.
pub(super) fn packet(payload: &[u8]) -> Option<Vec<u8>> {
    let fits = payload.len() <= LARGEST_PAYLOAD;
    fits.then(|| [format!("{:04x}", payload.len() + 4).as_bytes(), payload].concat())
}

#[cfg(test)]
mod tests {
    use super::{Packet, packet, read_packet};

    #[test]
    fn what_is_framed_is_read_back_to_the_last_byte() {
        for payload in [&b""[..], b"a\n", &[b'x'; 65_516]] {
            let framed = packet(payload).expect("a packet");
            let mut buffer = Vec::new();
            assert_eq!(read_packet("it", &mut &*framed, &mut buffer), Ok(Packet::Payload(payload)));
        }
        assert_eq!(packet(&[b'x'; 65_517]), None);
    }
}
