//! Turns the body of a `PutObject` into the object's bytes: takes chunked signing apart and compares every checksum.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use sha2::Sha256;

use crate::wire::{AwsError, Call};

const CHECKSUMS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// What a client sent, proven to be what it meant to send.
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    /// Header name and value of the checksum that came along.
    pub(super) checksum: Option<(String, String)>,
}

/// Reads the body of `call`.
///
/// CRC-32, SHA-256 and MD5 are compared; other checksums are kept as they came.
pub(super) fn read(call: &Call) -> Result<Payload, AwsError> {
    let declared = call.header("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
    let (bytes, trailers) =
        if declared.starts_with("STREAMING-") { decode_chunks(call)? } else { (call.body.clone(), Vec::new()) };
    if declared.len() == 64 && hex::encode(Sha256::digest(&bytes)) != declared {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(AwsError::new(400, "XAmzContentSHA256Mismatch", message));
    }
    if let Some(expected) = call.header("content-md5")
        && STANDARD.encode(Md5::digest(&bytes)) != expected
    {
        return Err(bad_digest("Content-MD5"));
    }
    let header = CHECKSUMS.iter().find_map(|name| Some(((*name).to_owned(), call.header(name)?.to_owned())));
    let trailer = trailers.into_iter().find(|(name, _)| CHECKSUMS.contains(&name.as_str()));
    let checksum = header.or(trailer);
    if let Some((name, value)) = &checksum {
        compare(name, value, &bytes)?;
    }
    Ok(Payload { bytes, checksum })
}

fn compare(name: &str, value: &str, bytes: &Bytes) -> Result<(), AwsError> {
    let (algorithm, computed) = match name {
        "x-amz-checksum-crc32" => ("CRC32", STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())),
        "x-amz-checksum-sha256" => ("SHA256", STANDARD.encode(Sha256::digest(bytes))),
        _ => return Ok(()),
    };
    if computed == value { Ok(()) } else { Err(bad_digest(algorithm)) }
}

fn bad_digest(algorithm: &str) -> AwsError {
    let message = format!("The {algorithm} you specified did not match the calculated checksum.");
    AwsError::new(400, "BadDigest", message)
}

type Trailers = Vec<(String, String)>;

/// `aws-chunked`: `<hex length>[;chunk-signature=…]\r\n<data>\r\n`, a chunk of no bytes, then the trailers.
fn decode_chunks(call: &Call) -> Result<(Bytes, Trailers), AwsError> {
    let incomplete = || {
        let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
        AwsError::new(400, "IncompleteBody", message)
    };
    let mut rest = call.body.clone();
    let mut data = BytesMut::new();
    loop {
        let line = take_line(&mut rest).ok_or_else(incomplete)?;
        let length = line.split(';').next().and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok());
        let length = length.ok_or_else(incomplete)?;
        if length == 0 {
            break;
        }
        if rest.len() < length + 2 {
            return Err(incomplete());
        }
        data.extend_from_slice(&rest.split_to(length));
        if rest.split_to(2) != "\r\n" {
            return Err(incomplete());
        }
    }
    let mut trailers = Vec::new();
    while let Some(line) = take_line(&mut rest).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(incomplete)?;
        trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let declared = call.header("x-amz-decoded-content-length").and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared != data.len()) {
        return Err(incomplete());
    }
    Ok((data.freeze(), trailers))
}

fn take_line(rest: &mut Bytes) -> Option<String> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = rest.split_to(end);
    let _line_end = rest.split_to(2);
    String::from_utf8(line.to_vec()).ok()
}
