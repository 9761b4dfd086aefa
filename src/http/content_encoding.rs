//! Decoding the bodies of callbacks: some relays and CDNs compress them.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use actix_web::web::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::api::problem::ApiError;
use crate::huawei::notification::ParseError;

/// # Errors
/// The encoding is not supported, the decoded body is longer than `most` bytes, or the body is malformed.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, ApiError> {
    let mut decoded = body;
    let mut lines = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        lines.push(line.to_str().map_err(|_| ApiError::UnsupportedEncoding)?);
    }
    // The last encoding was applied last.
    for encoding in lines.iter().flat_map(|line| line.split(',')).rev() {
        decoded = match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => decoded,
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*decoded), most)?,
            // The standard requires a zlib header; many senders omit it.
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
        ApiError::NotANotification(ParseError::NotReadable("it does not match its Content-Encoding".to_owned()))
    })?;
    if body.len() > most { Err(ApiError::TooLarge(most)) } else { Ok(body.into()) }
}
