//! Python's pickles, protocols 0 to 5, as far as `torch.save` writes them.
//!
//! candle's unpickler knows protocol 2 alone, and a few bytes of a pickle can nest or copy its objects until memory or the
//! stack is full. Here an object is a place in one list: what stands twice in the pickle is the same place, so that there
//! are never more objects than instructions, and nothing is ever walked by recursion. Nothing is called: a class or a
//! function is its name.

use std::collections::HashMap;

/// What went wrong, for the end of a message.
pub(super) type Outcome<T> = Result<T, String>;

/// The place of an object in its [`Pickle`].
pub(super) type Place = usize;

/// What a network's file is made of.
#[derive(Debug)]
pub(super) enum Object {
    Whole(i64),
    Float(f64),
    Truth(bool),
    Text(String),
    /// A tuple or a list.
    Row(Vec<Place>),
    Dictionary(Vec<(Place, Place)>),
    /// A class or function by its name, without its module.
    Class(String),
    /// What a class or function makes of its arguments.
    Made {
        class: Place,
        arguments: Place,
    },
    /// What lies beside the pickle, such as a storage.
    Elsewhere(Place),
    /// `None`, bytes, and what no network's file is made of.
    Other,
}

/// All objects of a pickle.
pub(super) struct Pickle {
    objects: Vec<Object>,
    /// The object that was saved.
    pub top: Place,
}

impl Pickle {
    /// The object at a place.
    pub fn at(&self, place: Place) -> &Object {
        &self.objects[place]
    }

    /// The text at a place, if it is one.
    pub fn text(&self, place: Place) -> Option<&str> {
        match self.at(place) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads a pickle to its end.
    ///
    /// # Errors
    /// If it is malformed, or ends before its end.
    pub fn read(bytes: &[u8]) -> Outcome<Self> {
        let mut machine =
            Machine { rest: bytes, objects: vec![], stack: vec![], marks: vec![], memo: HashMap::new() };
        while machine.step()? {}
        let top = machine.pop()?;
        Ok(Self { objects: machine.objects, top })
    }
}

/// Python's pickle machine (the standard library's `pickletools` describes every instruction).
struct Machine<'a> {
    rest: &'a [u8],
    objects: Vec<Object>,
    stack: Vec<Place>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Place>,
}

impl Machine<'_> {
    /// One instruction; whether there are more.
    fn step(&mut self) -> Outcome<bool> {
        match self.take(1)?[0] {
            b'.' => return Ok(false),
            0x80 => drop(self.take(1)?), // the protocol
            0x95 => drop(self.take(8)?), // the length of what follows
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let last = self.last()?;
                self.stack.push(last);
            }
            b'N' => self.push(Object::Other),
            0x88 => self.push(Object::Truth(true)),
            0x89 => self.push(Object::Truth(false)),
            b'K' => self.whole(1, false)?,
            b'M' => self.whole(2, false)?,
            b'J' => self.whole(4, true)?,
            0x8a => {
                let bytes = self.length(1)?;
                self.whole(bytes, true)?;
            }
            0x8b => {
                let bytes = self.length(4)?;
                self.whole(bytes, true)?;
            }
            b'I' | b'L' => {
                let line = self.line()?;
                let object = match line.trim_end_matches('L') {
                    "00" => Object::Truth(false),
                    "01" => Object::Truth(true),
                    digits => Object::Whole(digits.parse().map_err(|_| "a whole number that is none")?),
                };
                self.push(object);
            }
            b'G' => {
                let bytes = self.take(8)?.try_into().map_err(|_| "a number that is cut off")?;
                self.push(Object::Float(f64::from_be_bytes(bytes)));
            }
            b'F' => {
                let number = self.line()?.parse().map_err(|_| "a number that is none")?;
                self.push(Object::Float(number));
            }
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'V' | b'S' => {
                let line = self.line()?;
                self.push(Object::Text(line.trim_matches(['\'', '"']).to_owned()));
            }
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            b']' | b')' | 0x8f => self.push(Object::Row(vec![])),
            b'}' => self.push(Object::Dictionary(vec![])),
            b'l' | b't' | 0x91 => {
                let row = self.since_mark()?;
                self.push(Object::Row(row));
            }
            0x85 => self.row(1)?,
            0x86 => self.row(2)?,
            0x87 => self.row(3)?,
            b'd' => {
                let items = self.since_mark()?;
                self.push(Object::Dictionary(pairs(&items)));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            b'c' => {
                let (_, name) = (self.line()?, self.line()?);
                self.push(Object::Class(name));
            }
            0x93 => {
                let (name, _) = (self.pop()?, self.pop()?);
                let name = match &self.objects[name] {
                    Object::Text(name) => name.clone(),
                    _ => return Err("a class without a name".to_owned()),
                };
                self.push(Object::Class(name));
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                self.make(class, arguments);
            }
            0x92 => {
                let (_, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.make(class, arguments);
            }
            b'b' => drop(self.pop()?), // what else an object knows of itself
            b'Q' => {
                let name = self.pop()?;
                self.push(Object::Elsewhere(name));
            }
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            0x94 => {
                let last = self.last()?;
                self.memo.insert(self.memo.len(), last);
            }
            b'p' => {
                let (number, last) = (self.number_in_line()?, self.last()?);
                self.memo.insert(number, last);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'g' => {
                let number = self.number_in_line()?;
                self.recall_number(number)?;
            }
            other => return Err(format!("an instruction {other:#04x} that no network's file has")),
        }
        Ok(true)
    }

    fn take(&mut self, count: usize) -> Outcome<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("it ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    fn line(&mut self) -> Outcome<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or("it ends too early")?;
        let line = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        self.rest = &self.rest[end + 1..];
        Ok(line)
    }

    fn number_in_line(&mut self) -> Outcome<usize> {
        self.line()?.parse().map_err(|_| "a whole number that is none".to_owned())
    }

    /// A length of so many bytes, the lowest first.
    fn length(&mut self, bytes: usize) -> Outcome<usize> {
        let length = self.take(bytes)?.iter().rev().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
        usize::try_from(length).map_err(|_| "it ends too early".to_owned())
    }

    fn whole(&mut self, bytes: usize, signed: bool) -> Outcome<()> {
        if bytes > 8 {
            return Err(format!("a whole number of {bytes} bytes"));
        }
        let taken = self.take(bytes)?;
        let negative = signed && taken.last().is_some_and(|highest| highest & 0x80 != 0);
        let mut all = [if negative { 0xff } else { 0 }; 8];
        all[..bytes].copy_from_slice(taken);
        self.push(Object::Whole(i64::from_le_bytes(all)));
        Ok(())
    }

    fn text(&mut self, bytes: usize) -> Outcome<()> {
        let length = self.length(bytes)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Object::Text(text));
        Ok(())
    }

    fn bytes(&mut self, bytes: usize) -> Outcome<()> {
        let length = self.length(bytes)?;
        self.take(length)?;
        self.push(Object::Other);
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn pop(&mut self) -> Outcome<Place> {
        self.stack.pop().ok_or_else(|| "an instruction without its object".to_owned())
    }

    fn last(&self) -> Outcome<Place> {
        self.stack.last().copied().ok_or_else(|| "an instruction without its object".to_owned())
    }

    fn since_mark(&mut self) -> Outcome<Vec<Place>> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("an instruction without its mark")?))
    }

    fn row(&mut self, count: usize) -> Outcome<()> {
        let start = self.stack.len().checked_sub(count).ok_or("an instruction without its object")?;
        let row = self.stack.split_off(start);
        self.push(Object::Row(row));
        Ok(())
    }

    fn append(&mut self, items: Vec<Place>) -> Outcome<()> {
        let last = self.last()?;
        if let Object::Row(row) = &mut self.objects[last] {
            row.extend(items);
        }
        Ok(())
    }

    /// Sets items of a dictionary, or of an object that a class of dictionaries made.
    fn set(&mut self, items: &[Place]) -> Outcome<()> {
        let last = self.last()?;
        match &mut self.objects[last] {
            Object::Dictionary(entries) => entries.extend(pairs(items)),
            other => *other = Object::Dictionary(pairs(items)),
        }
        Ok(())
    }

    fn make(&mut self, class: Place, arguments: Place) {
        let ordered = matches!(&self.objects[class], Object::Class(name) if name == "OrderedDict");
        self.push(if ordered { Object::Dictionary(vec![]) } else { Object::Made { class, arguments } });
    }

    fn remember(&mut self, bytes: usize) -> Outcome<()> {
        let (number, last) = (self.length(bytes)?, self.last()?);
        self.memo.insert(number, last);
        Ok(())
    }

    fn recall(&mut self, bytes: usize) -> Outcome<()> {
        let number = self.length(bytes)?;
        self.recall_number(number)
    }

    fn recall_number(&mut self, number: usize) -> Outcome<()> {
        let place = self.memo.get(&number).ok_or("a memory that it never had")?;
        self.stack.push(*place);
        Ok(())
    }
}

fn pairs(items: &[Place]) -> Vec<(Place, Place)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_inside_objects_and_copies_of_copies_take_no_more_than_their_instructions() {
        let nested = [&[b']'][..], &[0x85; 200_000], b"."].concat();
        assert_eq!(Pickle::read(&nested).unwrap().objects.len(), 200_001);
        // x = (x, x), 60 times: 2⁶⁰ objects in 360 bytes.
        let doubling = [&b"]"[..], &b"q\x00h\x00\x86".repeat(60), b"."].concat();
        assert_eq!(Pickle::read(&doubling).unwrap().objects.len(), 61);
    }

    #[test]
    fn numbers_have_their_sign() {
        for (pickle, number) in [
            (&b"K\xff."[..], 255),
            (b"M\x00\x80.", 0x8000),
            (b"J\xff\xff\xff\xff.", -1),
            (b"\x8a\x02\x00\xff.", -256),
            (b"\x8a\x00.", 0),
            (b"I-7\n.", -7),
            (b"L12L\n.", 12),
        ] {
            let read = Pickle::read(pickle).unwrap();
            assert!(
                matches!(read.at(read.top), Object::Whole(found) if *found == number),
                "{:?}",
                read.at(read.top)
            );
        }
    }
}
