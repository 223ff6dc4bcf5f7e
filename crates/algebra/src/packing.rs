//! Little-endian bit packing of `b`-bit words, `b` in 8..=62.
//!
//! Coordinate `i` of a chunk occupies bits `i*b .. (i+1)*b` of the byte string, bit `j` being bit `j % 8` of byte
//! `j / 8`. A chunk always starts at a byte boundary; the bits after its last coordinate are zero.

/// Packs `words`, of which only the low `bits` bits count, to `out`.
pub(crate) fn pack(bits: u32, words: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    let mask = (1u64 << bits) - 1;
    // `filled` bits of `acc`, always below 64, wait to be written.
    let mut acc = 0u64;
    let mut filled = 0u32;
    for word in words {
        let word = word & mask;
        acc |= word << filled;
        filled += bits;
        if filled >= 64 {
            out.extend_from_slice(&acc.to_le_bytes());
            filled -= 64;
            // The part of `word` that did not fit: its top `filled` bits (zero when it fitted exactly).
            acc = word >> (bits - filled);
        }
    }
    let rest = filled.div_ceil(8) as usize;
    out.extend(acc.to_le_bytes().into_iter().take(rest));
}

/// Hands the packed words of `bytes` to `combine`, one for each slot of `slots`, in order.
///
/// The caller has checked that `bytes` holds exactly that many words.
pub(crate) fn unpack<'a, W: 'a>(
    bits: u32,
    bytes: &[u8],
    slots: impl Iterator<Item = &'a mut W>,
    combine: impl Fn(&mut W, u64),
) {
    let mask = (1u64 << bits) - 1;
    // A word spans at most 7 + 62 bits from the byte it starts in: one 8-byte load is enough up to 57 bits.
    let one_load = bits <= 57;
    let mut at = 0usize;
    for slot in slots {
        let rest = bytes.get(at / 8..).unwrap_or_default();
        let shift = (at % 8) as u32;
        let word = match rest.first_chunk::<8>() {
            Some(low) if one_load => u64::from_le_bytes(*low) >> shift,
            _ => (load_u128(rest) >> shift) as u64,
        };
        combine(slot, word & mask);
        at += bits as usize;
    }
}

/// The first 16 bytes of `bytes` as a little-endian integer, missing ones as zero.
fn load_u128(bytes: &[u8]) -> u128 {
    if let Some(full) = bytes.first_chunk::<16>() {
        return u128::from_le_bytes(*full);
    }
    let mut padded = [0u8; 16];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    u128::from_le_bytes(padded)
}
