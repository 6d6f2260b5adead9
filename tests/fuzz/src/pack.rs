//! Makes packs, as Git would and as it never would (gitformat-pack(5)).
use std::io::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, FlushCompress};

/// The types of objects.
pub const COMMIT: u8 = 1;
/// A directory.
pub const TREE: u8 = 2;
/// A file.
pub const BLOB: u8 = 3;
/// What is made of another object, which it names.
pub const DELTA: u8 = 7;

/// A pack, with the hash at its end: without it nobody reads far.
#[must_use]
pub fn sealed(mut pack: Vec<u8>) -> Vec<u8> {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &pack);
    pack.extend_from_slice(hash.as_ref());
    pack
}

/// A pack of these objects.
///
/// # Panics
/// Where they are more than a pack can have.
#[must_use]
pub fn of(objects: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(objects.len()).expect("few objects");
    sealed([&b"PACK"[..], &2_u32.to_be_bytes(), &count.to_be_bytes(), &objects.concat()].concat())
}

/// The head of an object: its type, and the size that it says to have.
#[must_use]
pub fn head(kind: u8, mut size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = (kind << 4) | (size & 0x0f) as u8;
    size >>= 4;
    while size > 0 {
        bytes.push(byte | 0x80);
        byte = (size & 0x7f) as u8;
        size >>= 7;
    }
    bytes.push(byte);
    bytes
}

/// A content, as objects have it.
///
/// # Panics
/// Never.
#[must_use]
pub fn compressed(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}

/// What is inflated to so many mebibytes of zeros: one of them, again and again, without taking the time to compress them.
///
/// # Panics
/// Never.
#[must_use]
pub fn inflates_to(mebibytes: u32) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut some = Vec::with_capacity(8 << 10);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&zeros, &mut some, FlushCompress::Full).expect("there is space enough");
    // The checksum (Adler-32) of n zeros is n modulo 65,521, and 1.
    let sum = (u64::from(mebibytes) << 20) % 65_521;
    let sum = u32::try_from(sum).expect("it is small") << 16 | 1;
    let (head, last) = ([0x78, 0xda], [0x03, 0x00]);
    [&head[..], &some.repeat(mebibytes as usize), &last, &sum.to_be_bytes()].concat()
}

/// An object as it is.
#[must_use]
pub fn object(kind: u8, content: &[u8]) -> Vec<u8> {
    [head(kind, content.len() as u64), compressed(content)].concat()
}

/// A file as it is.
#[must_use]
pub fn blob(content: &[u8]) -> Vec<u8> {
    object(BLOB, content)
}

fn length(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A delta on `base`: its instructions, and how long what they make is.
fn delta(base: &[u8], makes: u64, instructions: &[u8]) -> Vec<u8> {
    let id = git2::Oid::hash_object(git2::ObjectType::Blob, base).expect("a hash");
    let delta = [&length(base.len() as u64), &length(makes), instructions].concat();
    [head(DELTA, delta.len() as u64), id.as_bytes().to_vec(), compressed(&delta)].concat()
}

/// A delta on `base` that says to copy its first 64 KiB so many times.
#[must_use]
pub fn copies(base: &[u8], times: usize) -> Vec<u8> {
    const COPY: u8 = 0x80;
    delta(base, times as u64 * 0x1_0000, &vec![COPY; times])
}

/// A delta that makes something of the same length with another beginning; and that.
///
/// # Panics
/// Where `base` is larger than any object.
#[must_use]
pub fn rewrites(base: &[u8], beginning: [u8; 4]) -> (Vec<u8>, Vec<u8>) {
    let (mut instructions, mut at) = ([&[4][..], &beginning].concat(), beginning.len());
    while at < base.len() {
        let some = (base.len() - at).min(0x00ff_ffff);
        // Four bytes of place and three of length.
        instructions.push(0xff);
        instructions.extend_from_slice(&u32::try_from(at).expect("a place").to_le_bytes());
        instructions.extend_from_slice(&u32::try_from(some).expect("a length").to_le_bytes()[..3]);
        at += some;
    }
    let made = [&beginning, &base[beginning.len()..]].concat();
    (delta(base, base.len() as u64, &instructions), made)
}
