//! A fast single-pass reader of common JSON.
//!
//! For anything else (invalid JSON, deep nesting) it returns `None`, without a reason. serde_json then reads the body
//! again: it accepts all JSON and reports errors. So this reader must not accept what serde_json rejects, nor read
//! anything differently; a test in `alertmanager/fast_path.rs` mutates a webhook at random and compares the two.

use serde_json::from_str;

use super::Text;

/// The nesting limit of skipped values.
const MAX_DEPTH: u32 = 32;

/// A position in a body.
pub(crate) struct Cursor<'a> {
    json: &'a str,
    /// The bytes that are not read yet.
    rest: &'a [u8],
}

/// A string literal of the body, quotes included. It is decoded on demand, since most are skipped.
#[derive(Clone, Copy)]
pub(crate) struct Literal<'a> {
    json: &'a str,
    start: usize,
    end: usize,
    escaped: bool,
}

impl<'a> Literal<'a> {
    /// The literal's JSON text.
    pub(crate) fn raw(self) -> Option<&'a str> {
        self.json.get(self.start..self.end)
    }

    /// The string, if it has no escapes.
    pub(crate) fn plain(self) -> Option<&'a str> {
        if self.escaped { None } else { self.json.get(self.start + 1..self.end - 1) }
    }

    /// The string.
    pub(crate) fn text(self) -> Option<Text<'a>> {
        if self.escaped { from_str(self.raw()?).ok() } else { self.plain().map(|text| Text(text.into())) }
    }
}

impl<'a> Cursor<'a> {
    /// A cursor at the beginning of `json`.
    pub(crate) const fn new(json: &'a str) -> Self {
        Self { json, rest: json.as_bytes() }
    }

    /// Checks that nothing but white space is left.
    pub(crate) fn end(mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// Reads an object: `member` gets each key and reads its value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, Literal<'a>) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        if self.eat(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.eat(b':')?;
            member(self, key)?;
            if self.eat(b',').is_none() {
                return self.eat(b'}');
            }
        }
    }

    /// Reads a list: `item` reads each item.
    pub(crate) fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.eat(b'[')?;
        if self.eat(b']').is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.eat(b',').is_none() {
                return self.eat(b']');
            }
        }
    }

    /// Reads a string.
    pub(crate) fn text(&mut self) -> Option<Text<'a>> {
        self.string()?.text()
    }

    /// Reads null, or else what `read` reads.
    pub(crate) fn unless_null<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.peek()? == b'n' { self.word("null").map(|()| None) } else { read(self).map(Some) }
    }

    /// The JSON text of what `read` reads.
    pub(crate) fn raw(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<&'a str> {
        self.peek()?;
        let start = self.at();
        read(self)?;
        self.json.get(start..self.at())
    }

    /// Skips a value.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => depth.checked_sub(1).and_then(|depth| self.object(|cursor, _| cursor.skip_within(depth))),
            b'[' => depth.checked_sub(1).and_then(|depth| self.list(|cursor| cursor.skip_within(depth))),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word.as_bytes())?;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.take(|byte| byte == b'-');
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.take(|byte| byte == b'.') {
            self.some_digits()?;
        }
        if self.take(|byte| matches!(byte, b'e' | b'E')) {
            self.take(|byte| matches!(byte, b'+' | b'-'));
            self.some_digits()?;
        }
        Some(())
    }

    fn some_digits(&mut self) -> Option<()> {
        self.next()?.is_ascii_digit().then(|| self.digits())
    }

    fn digits(&mut self) {
        while self.take(|byte| byte.is_ascii_digit()) {}
    }

    fn string(&mut self) -> Option<Literal<'a>> {
        self.eat(b'"')?;
        let (start, mut escaped) = (self.at() - 1, false);
        loop {
            match self.special()? {
                b'"' => return Some(Literal { json: self.json, start, end: self.at(), escaped }),
                b'\\' => self.escape()?,
                _ => return None,
            }
            escaped = true;
        }
    }

    /// Skips the literal bytes of a string. Returns the next special byte: it ends the string, begins an escape, or is
    /// a control character, which is invalid.
    fn special(&mut self) -> Option<u8> {
        while let Some((word, rest)) = self.rest.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let found = specials(word);
            if found != 0 {
                // The highest bit of the byte.
                let bit = found.trailing_zeros();
                self.rest = self.rest.get(bit as usize / 8 + 1..)?;
                return Some((word >> (bit - 7)) as u8);
            }
            self.rest = rest;
        }
        loop {
            let byte = self.next()?;
            if matches!(byte, b'"' | b'\\' | 0..0x20) {
                return Some(byte);
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => (0..4).all(|_| self.take(|byte| byte.is_ascii_hexdigit())).then_some(()),
            _ => None,
        }
    }

    /// Skips white space and returns the next byte without consuming it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.rest {
                [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] => self.rest = rest,
                [byte, ..] => return Some(*byte),
                [] => return None,
            }
        }
    }

    /// Skips white space and consumes this byte.
    fn eat(&mut self, byte: u8) -> Option<()> {
        // Most senders write no white space.
        if !self.take(|next| next == byte) {
            self.peek()?;
            return self.take(|next| next == byte).then_some(());
        }
        Some(())
    }

    fn take(&mut self, is: impl FnOnce(u8) -> bool) -> bool {
        match self.rest {
            [byte, rest @ ..] if is(*byte) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    const fn at(&self) -> usize {
        self.json.len() - self.rest.len()
    }
}

/// Sets the highest bit of each of the eight bytes that is special in a string; exact up to the first special byte.
const fn specials(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    const fn below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(LOW * bound as u64) & !word
    }
    let quote = below(word ^ (LOW * b'"' as u64), 1);
    let backslash = below(word ^ (LOW * b'\\' as u64), 1);
    (quote | backslash | below(word, 0x20)) & HIGH
}
