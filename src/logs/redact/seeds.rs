//! Finds where text may hold one of many byte strings, in one pass and whatever their number.
//!
//! Each string is known by a few of its pieces of [`SEED`] bytes. A filter of bits says of nearly all places of a text
//! that none is there; who asks compares the rest. An automaton of the strings would take memory with their length, and
//! tens of nanoseconds for a byte once it no longer fits a cache.

use std::collections::HashMap;

/// Length of a piece; a shorter string cannot be found.
pub(super) const SEED: usize = 6;
/// Pieces of one string; of a long one they lie apart.
const PIECES: usize = 12;
/// Bits of the filter for each piece: one place in so many is compared in vain.
const SPARSE: usize = 128;

/// Where a piece stands: in which string, and at which byte of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) string: u32,
    pub(super) at: u32,
}

/// The pieces of all strings.
#[derive(Default)]
pub(super) struct Seeds {
    filter: Vec<u64>,
    shift: u32,
    places: HashMap<u64, Vec<Place>>,
}

impl Seeds {
    pub(super) fn new<'a>(strings: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut places: HashMap<u64, Vec<Place>> = HashMap::new();
        for (number, string) in strings.enumerate() {
            for at in offsets(string.len()) {
                let place = Place {
                    string: u32::try_from(number).unwrap_or(u32::MAX),
                    at: u32::try_from(at).unwrap_or(u32::MAX),
                };
                places
                    .entry(key(padded(&string[at..])))
                    .or_default()
                    .push(place);
            }
        }
        let bits = (places.len() * SPARSE)
            .next_power_of_two()
            .clamp(1 << 12, 1 << 24);
        let shift = 64 - bits.ilog2();
        let mut filter = vec![0; bits / 64];
        for key in places.keys() {
            let bit = hash(*key, shift);
            filter[bit / 64] |= 1 << (bit % 64);
        }
        Self {
            filter,
            shift,
            places,
        }
    }

    /// Calls `each` wherever a piece may stand. Letters may differ in case: who is called compares.
    pub(super) fn scan(&self, text: &[u8], mut each: impl FnMut(usize, &[Place])) {
        if self.places.is_empty() {
            return;
        }
        for (at, window) in text.windows(8).enumerate() {
            let key = key(window.try_into().expect("a window of eight"));
            if self.may_have(key)
                && let Some(places) = self.places.get(&key)
            {
                each(at, places);
            }
        }
        let end = (text.len() + 1).saturating_sub(SEED);
        for at in text.len().saturating_sub(7)..end {
            let key = key(padded(&text[at..]));
            if let Some(places) = self.places.get(&key) {
                each(at, places);
            }
        }
    }

    #[inline]
    fn may_have(&self, key: u64) -> bool {
        let bit = hash(key, self.shift);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// Where the pieces of a string of that length begin: side by side, the last at its end, few of a long one.
fn offsets(length: usize) -> Vec<usize> {
    let Some(last) = length.checked_sub(SEED) else {
        return Vec::new();
    };
    let count = (last.div_ceil(SEED) + 1).min(PIECES);
    let mut offsets: Vec<usize> = (0..count)
        .map(|piece| last * piece / (count - 1).max(1))
        .collect();
    offsets.dedup();
    offsets
}

fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut window = [0; 8];
    let length = bytes.len().min(8);
    window[..length].copy_from_slice(&bytes[..length]);
    window
}

/// The first six bytes, with letters in one case.
#[inline]
fn key(window: [u8; 8]) -> u64 {
    (u64::from_le_bytes(window) & 0xffff_ffff_ffff) | 0x2020_2020_2020
}

#[inline]
fn hash(key: u64, shift: u32) -> usize {
    usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (shift & 63))
        .expect("at most 24 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_of_a_string_are_found_at_every_place_of_a_text() {
        let strings: [&[u8]; 2] = [b"abcdef", b"a-long-secret-with-many-pieces-in-it"];
        let seeds = Seeds::new(strings.into_iter());
        for before in 0..20 {
            for after in 0..20 {
                for (number, string) in strings.iter().enumerate() {
                    let text = [&vec![b'.'; before], *string, &vec![b'.'; after]].concat();
                    let mut found = false;
                    seeds.scan(&text, |at, places| {
                        found |= places.iter().any(|place| {
                            place.string as usize == number && at == before + place.at as usize
                        });
                    });
                    assert!(found, "{before} {after}");
                }
            }
        }
    }

    #[test]
    fn a_long_string_has_few_pieces_and_a_short_one_is_covered() {
        assert_eq!(offsets(5), Vec::<usize>::new());
        assert_eq!(offsets(6), [0]);
        assert_eq!(offsets(8), [0, 2]);
        assert_eq!(offsets(18), [0, 6, 12]);
        assert_eq!(offsets(100_000).len(), PIECES);
    }
}
