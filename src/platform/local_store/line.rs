//! Lines with a checksum: `NUMBER SHA-256 TEXT`.
//!
//! The checksum ensures that a drained message is the one that was authenticated at receipt, with all its fields.
//! Verifying its signature again would not: it covers only a few fields, and its key may be gone. Neither protects
//! against someone who can write these files: the master key is in the same data folder.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Digits of a number; fixed, so that lines sort as text.
const DIGITS: usize = 20;

/// Hexadecimal digits of a checksum.
const CHECKSUM: usize = 64;

/// Formats a line, with its line break. The text must not contain one.
pub fn write(number: u64, text: &str) -> String {
    let mut line = String::with_capacity(DIGITS + CHECKSUM + text.len() + 3);
    let _ = writeln!(line, "{number:0DIGITS$} {} {text}", checksum(number, text));
    line
}

/// Parses a line; `None` if it is not as it was written.
pub fn read(line: &[u8]) -> Option<(u64, &str)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (number, rest) = line.split_at_checked(DIGITS)?;
    let (sum, text) = rest.strip_prefix(' ')?.split_at_checked(CHECKSUM)?;
    let (number, text) = (number.parse().ok()?, text.strip_prefix(' ')?);
    (sum == checksum(number, text)).then_some((number, text))
}

fn checksum(number: u64, text: &str) -> String {
    let digest = Sha256::new().chain_update(number.to_be_bytes()).chain_update(text).finalize();
    hex::encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_any_other_bit_is_not_read() {
        let line = write(41, "{\"stream\":\"röom\"}").into_bytes();
        assert_eq!(read(&line), Some((41, "{\"stream\":\"röom\"}")));
        for (place, bit) in (0..line.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut other = line.clone();
            other[place] ^= 1 << bit;
            assert_eq!(read(&other), None, "bit {bit} of byte {place}");
        }
        for length in 0..line.len() {
            assert_eq!(read(&line[..length]), None, "{length} bytes");
        }
    }
}
