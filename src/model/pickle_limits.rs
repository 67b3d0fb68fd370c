//! How much a pickle may unfold to: a few bytes of one can nest or copy objects until memory or the stack is full.
//!
//! candle's unpickler keeps to no limit, and its objects cannot be measured from outside. So this follows the stack of
//! the unpickler instruction by instruction, with the depth and the size of every object in place of the object.

use std::collections::HashMap;

/// Objects inside objects; a checkpoint of PyTorch has fewer than 10.
const DEEPEST: usize = 64;
/// Objects and letters per byte of the pickle; a checkpoint of PyTorch makes fewer than 10 of each byte.
const MOST_PER_BYTE: usize = 32;

/// An object on the unpickler's stack: how deep it is, and of how many objects and letters it consists.
#[derive(Clone, Copy, Default)]
struct Extent {
    depth: usize,
    size: usize,
}

/// Follows one pickle.
pub(super) struct Limits {
    /// `None` is a mark.
    stack: Vec<Option<Extent>>,
    memo: HashMap<u32, Extent>,
    made: usize,
    most: usize,
}

impl Limits {
    pub(super) fn of(pickle: &[u8]) -> Self {
        let most = pickle.len().saturating_mul(MOST_PER_BYTE);
        Self { stack: Vec::new(), memo: HashMap::new(), made: 0, most }
    }

    /// Follows the instruction that `rest` begins with; an error if it would make too much.
    ///
    /// What is malformed otherwise is left to the unpickler to refuse.
    pub(super) fn follow(&mut self, rest: &[u8]) -> Result<(), String> {
        match *rest {
            // A text: the unpickler would allocate whatever length it claims.
            [b'X', a, b, c, d, ref text @ ..] => {
                let length = u32::from_le_bytes([a, b, c, d]) as usize;
                if length > text.len() {
                    return Err("a text in it is longer than the file".to_owned());
                }
                self.new_object(length)?;
            }
            // A whole number: the unpickler's arithmetic overflows beyond 8 bytes.
            [0x8a, bytes, ..] if bytes > 8 => return Err(format!("a whole number of {bytes} bytes")),
            // A class: two lines.
            [b'c', ref lines @ ..] => {
                let length: usize = lines.split(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum();
                self.new_object(length)?;
            }
            [b'K' | b'M' | b'J' | b'G' | b'N' | b')' | b'}' | b']' | 0x88 | 0x89 | 0x8a, ..] => {
                self.new_object(0)?
            }
            [b'(', ..] => self.stack.push(None),
            // One object of the last one, two or three, or of all since the mark.
            [b'Q' | 0x85, ..] => self.join(1)?,
            [0x86 | b'b' | b'R' | 0x81, ..] => self.join(2)?,
            [0x87, ..] => self.join(3)?,
            [b't' | b'd', ..] => {
                let inner = self.take_since_mark();
                self.push(inner.depth, inner.size)?;
            }
            // Into the object below.
            [b'a', ..] => self.put_into(1)?,
            [b's', ..] => self.put_into(2)?,
            [b'e' | b'u', ..] => {
                let inner = self.take_since_mark();
                self.put(inner)?;
            }
            // Copies from and to the memo.
            [b'h', key, ..] => self.get(key.into())?,
            [b'j', a, b, c, d, ..] => self.get(u32::from_le_bytes([a, b, c, d]))?,
            [b'q', key, ..] => self.keep(key.into())?,
            [b'r', a, b, c, d, ..] => self.keep(u32::from_le_bytes([a, b, c, d]))?,
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, depth: usize, size: usize) -> Result<(), String> {
        let extent = Extent { depth: depth + 1, size: size + 1 };
        if extent.depth > DEEPEST {
            return Err(format!("objects inside objects, more than {DEEPEST} deep"));
        }
        self.stack.push(Some(extent));
        Ok(())
    }

    /// An object that the pickle spells out, with so many letters.
    fn new_object(&mut self, letters: usize) -> Result<(), String> {
        self.push(0, letters)?;
        self.make(1 + letters)
    }

    /// Counts what is made, copies included; nothing is ever taken off, so that this bounds the time as well.
    fn make(&mut self, size: usize) -> Result<(), String> {
        self.made = self.made.saturating_add(size);
        match self.made > self.most {
            true => Err("objects that unfold to much more than the file".to_owned()),
            false => Ok(()),
        }
    }

    fn take(&mut self, count: usize) -> Extent {
        let start = self.stack.len().saturating_sub(count);
        together(self.stack.drain(start..))
    }

    fn take_since_mark(&mut self) -> Extent {
        let mark = self.stack.iter().rposition(Option::is_none).unwrap_or(0);
        together(self.stack.drain(mark..))
    }

    fn join(&mut self, count: usize) -> Result<(), String> {
        let inner = self.take(count);
        self.push(inner.depth, inner.size)
    }

    fn put_into(&mut self, count: usize) -> Result<(), String> {
        let inner = self.take(count);
        self.put(inner)
    }

    fn put(&mut self, inner: Extent) -> Result<(), String> {
        let outer = self.take(1);
        let depth = outer.depth.saturating_sub(1).max(inner.depth);
        self.push(depth, outer.size.saturating_sub(1).saturating_add(inner.size))
    }

    fn get(&mut self, key: u32) -> Result<(), String> {
        let extent = self.memo.get(&key).copied().unwrap_or_default();
        self.stack.push(Some(extent));
        self.make(extent.size)
    }

    fn keep(&mut self, key: u32) -> Result<(), String> {
        let extent = self.stack.last().copied().flatten().unwrap_or_default();
        self.memo.insert(key, extent);
        self.make(extent.size)
    }
}

fn together(parts: impl Iterator<Item = Option<Extent>>) -> Extent {
    parts.flatten().fold(Extent::default(), |all, part| Extent {
        depth: all.depth.max(part.depth),
        size: all.size.saturating_add(part.size),
    })
}
