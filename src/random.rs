//! Seeded generators: every random number of a run is a function of the seed, what it is for, and an index.
//!
//! Nothing here has a state that would have to be carried along: the generator for the flips of picture 17 in epoch 3
//! is made anew wherever it is needed. That is why the order and the crops do not depend on the number of
//! threads, and why a resumed run draws what the undisturbed one would have drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator type of the whole library.
pub type Generator = ChaCha8Rng;

/// The generator for `purpose` (such as `"dropout"`) at two indices (such as the epoch and the picture).
///
/// ChaCha's key has 32 bytes; the four numbers are that key, so different arguments never share a stream
/// (up to a collision of the 64-bit hash of `purpose`).
///
/// ```
/// use rand::Rng;
/// use toalign::random::generator;
/// let mut a = generator(1, "crop", 3, 17);
/// let mut b = generator(1, "crop", 3, 17);
/// let mut c = generator(1, "crop", 3, 18);
/// let first: u64 = a.random();
/// assert_eq!(first, b.random::<u64>());
/// assert_ne!(first, c.random::<u64>());
/// ```
pub fn generator(seed: u64, purpose: &str, first_index: u64, second_index: u64) -> Generator {
    let mut key = [0u8; 32];
    for (slot, number) in
        key.chunks_exact_mut(8).zip([seed, hash_of_name(purpose), first_index, second_index])
    {
        slot.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// FNV-1a, 64 bits: a stable hash of a name (`std`'s hashers may change between releases of Rust).
///
/// ```
/// assert_eq!(toalign::random::hash_of_name("a"), 0xaf63_dc4c_8601_ec8c);
/// ```
pub fn hash_of_name(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
