//! Lines that tell whether they are as they were written: `NUMBER SHA-256 TEXT`.
//!
//! The checksum is what makes sure that a drained message is the one that was verified at receipt, with all its fields.
//! Verifying its signature once more would not: that covers a few fields, and its key may be gone. Nor would it stop
//! someone who can write these files: the master key is in the same data folder.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Digits of a number: all lines of a file sort as text.
const DIGITS: usize = 20;

/// Digits of a checksum.
const CHECKSUM: usize = 64;

/// A line, with its end. The text is JSON or the like, without an end of line in it.
pub fn write(number: u64, text: &str) -> String {
    let mut line = String::with_capacity(DIGITS + CHECKSUM + text.len() + 3);
    let _ = writeln!(line, "{number:0DIGITS$} {} {text}", checksum(number, text));
    line
}

/// The number and the text of a line, if they are as they were written.
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
