//! Decoding the bodies of callbacks: some relays and CDNs compress them.

use std::borrow::Cow;
use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// What is decoded, as `Accept-Encoding` says it.
pub(super) const ACCEPTED: &str = "gzip, deflate";

/// Why a body is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// It is encoded in another way.
    Unsupported,
    /// It is longer than the limit when it is decoded.
    TooLarge,
    /// It is not what its encoding says.
    Corrupt,
}

/// The body that these headers describe, of at most `most` bytes.
///
/// # Errors
/// [`DecodeError`].
pub(super) fn decode<'a>(headers: &HeaderMap, body: &'a [u8], most: usize) -> Result<Cow<'a, [u8]>, DecodeError> {
    let mut decoded = Cow::Borrowed(body);
    let mut lines = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        lines.push(line.to_str().map_err(|_| DecodeError::Unsupported)?);
    }
    // The last one was applied last.
    for encoding in lines.iter().flat_map(|line| line.split(',')).rev() {
        decoded = match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => decoded,
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*decoded), most)?.into(),
            // By the standard with the header of zlib, and by many senders without.
            "deflate" if has_zlib_header(&decoded) => read(ZlibDecoder::new(&*decoded), most)?.into(),
            "deflate" => read(DeflateDecoder::new(&*decoded), most)?.into(),
            _ => return Err(DecodeError::Unsupported),
        };
    }
    Ok(decoded)
}

fn has_zlib_header(body: &[u8]) -> bool {
    body.first_chunk()
        .is_some_and(|[method, flags]| method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

fn read(decoder: impl Read, most: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut decoded).map_err(|_| DecodeError::Corrupt)?;
    if decoded.len() > most { Err(DecodeError::TooLarge) } else { Ok(decoded) }
}
