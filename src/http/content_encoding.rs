//! Decoding the bodies of callbacks: some relays and CDNs compress them.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use actix_web::web::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::api::problem::ApiError;
use crate::huawei::notification::ParseError;

/// The body that these headers describe, of at most `most` bytes.
///
/// # Errors
/// When it is encoded in another way, longer than that when it is decoded, or not what its encoding says.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, ApiError> {
    let mut decoded = body;
    let mut lines = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        lines.push(line.to_str().map_err(|_| ApiError::UnsupportedEncoding)?);
    }
    // The last one was applied last.
    for encoding in lines.iter().flat_map(|line| line.split(',')).rev() {
        decoded = match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => decoded,
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*decoded), most)?,
            // By the standard with the header of zlib, and by many senders without.
            "deflate" if has_zlib_header(&decoded) => read(ZlibDecoder::new(&*decoded), most)?,
            "deflate" => read(DeflateDecoder::new(&*decoded), most)?,
            _ => return Err(ApiError::UnsupportedEncoding),
        };
    }
    Ok(decoded)
}

fn has_zlib_header(body: &[u8]) -> bool {
    body.first_chunk()
        .is_some_and(|[method, flags]| method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

fn read(decoder: impl Read, most: usize) -> Result<Bytes, ApiError> {
    let mut body = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut body).map_err(|_| {
        ApiError::NotANotification(ParseError::NotReadable("it is not what its Content-Encoding says".to_owned()))
    })?;
    if body.len() > most { Err(ApiError::TooLarge(most)) } else { Ok(body.into()) }
}
