//! Pseudorandom numbers that are the same in every run.

/// The 64 bits for a thing and a question about it (`SplitMix64`).
pub(super) fn noise(thing: u64, question: u64) -> u64 {
    let mut bits = thing.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ question.wrapping_mul(0xd1b5_4a32_d192_ed03);
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number in `0..end`.
pub(super) fn below(end: u64, thing: u64, question: u64) -> u64 {
    noise(thing, question) % end.max(1)
}

/// A number in `0.0..1.0`.
#[expect(clippy::cast_precision_loss, reason = "53 bits are intended")]
pub(super) fn share(thing: u64, question: u64) -> f64 {
    (noise(thing, question) >> 11) as f64 / (1_u64 << 53) as f64
}
