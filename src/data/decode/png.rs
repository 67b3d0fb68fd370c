//! A PNG whose last chunk is missing.

/// An empty `IEND` with its checksum.
const END: &[u8; 12] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// The bytes up to the first chunk that is not whole, and the end behind them; `None` if the end is there.
pub(super) fn with_end(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut at = 8; // the signature
    while let Some(&[a, b, c, d, ref name @ ..]) = bytes.get(at..at + 8) {
        // Behind the content, a checksum of four bytes.
        let end = (u32::from_be_bytes([a, b, c, d]) as usize).checked_add(at + 12)?;
        if end > bytes.len() {
            break;
        }
        if name == b"IEND" {
            return None;
        }
        at = end;
    }
    Some([bytes.get(..at)?, END].concat())
}
