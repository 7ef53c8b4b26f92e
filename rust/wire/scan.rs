//! The quick way to the audio in an event: one pass over a text as services write it.
//!
//! Flat object, plain strings, small whole numbers. Whatever else JSON allows (escapes, nested values, letters
//! beyond ASCII, a key twice) is left to serde, and so is whatever JSON does not allow: `None`. A property test in `delta.rs`
//! holds the two equal.

use std::borrow::Cow;

use super::append::APPEND;
use super::delta::{AUDIO_DELTA, AudioDeltaEvent};

/// The audio delta in `text`, `None` where this is not plain to see.
pub fn scan(text: &[u8]) -> Option<AudioDeltaEvent<'_>> {
    let (mut kind, mut response_id, mut item_id, mut delta) = (None, None, None, None);
    let (mut output_index, mut content_index) = (None, None);
    scan_fields(text, |key, cursor| match key {
        b"type" => once(&mut kind, cursor.string()?),
        b"response_id" => once(&mut response_id, cursor.string()?),
        b"item_id" => once(&mut item_id, cursor.string()?),
        b"delta" => once(&mut delta, cursor.string()?),
        b"output_index" => once(&mut output_index, cursor.number()?),
        b"content_index" => once(&mut content_index, cursor.number()?),
        _ => cursor.skip_value(),
    })?;
    if kind? != AUDIO_DELTA.as_bytes() {
        return None;
    }
    Some(AudioDeltaEvent {
        response_id: text_of(response_id)?,
        item_id: text_of(item_id)?,
        output_index: output_index.unwrap_or(0),
        content_index: content_index.unwrap_or(0),
        delta: Cow::Borrowed(delta?),
    })
}

/// The base64 in an append event, `None` where this is not plain to see.
pub fn scan_append(text: &[u8]) -> Option<&[u8]> {
    let (mut kind, mut audio) = (None, None);
    scan_fields(text, |key, cursor| match key {
        b"type" => once(&mut kind, cursor.string()?),
        b"audio" => once(&mut audio, cursor.string()?),
        _ => cursor.skip_value(),
    })?;
    if kind? == APPEND.as_bytes() { audio } else { None }
}

/// Goes through a whole object: `take` is told each key, and takes the value from the cursor.
#[inline(always)]
fn scan_fields<'a>(
    text: &'a [u8],
    mut take: impl FnMut(&'a [u8], &mut Cursor<'a>) -> Option<()>,
) -> Option<()> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'{')?;
    loop {
        let key = cursor.string()?;
        cursor.expect(b':')?;
        take(key, &mut cursor)?;
        match cursor.next()? {
            b',' => {}
            b'}' => return cursor.is_at_end().then_some(()),
            _ => return None,
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn skip_spaces(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    /// The next byte that is no space, taken.
    fn next(&mut self) -> Option<u8> {
        self.skip_spaces();
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_spaces();
        self.at == self.text.len()
    }

    /// A string without escapes, of ASCII alone.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let rest = &self.text[self.at..];
        let string = &rest[..plain_len(rest)];
        self.at += string.len() + 1;
        (rest.get(string.len()) == Some(&b'"')).then_some(string)
    }

    /// A whole number of at most nine digits: it fits.
    fn number(&mut self) -> Option<u32> {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        let digits = &rest[..digits];
        self.at += digits.len();
        match digits {
            [] | [b'0', _, ..] | [_, _, _, _, _, _, _, _, _, _, ..] => None,
            digits => Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))),
        }
    }

    fn skip_value(&mut self) -> Option<()> {
        self.skip_spaces();
        match self.text.get(self.at)? {
            b'"' => self.string().map(drop),
            _ => self.number().map(drop),
        }
    }
}

/// How far the bytes go on without a quote, an escape, a control character or a letter beyond ASCII.
fn plain_len(bytes: &[u8]) -> usize {
    // As signed numbers, control characters and letters beyond ASCII are those below 32.
    let is_special = |byte: u8| ((byte as i8) < 32) | (byte == b'"') | (byte == b'\\');
    // Whole blocks without an early end, so that the compiler takes many bytes at a time.
    let is_plain = |block: &&[u8; 64]| !block.iter().fold(false, |found, byte| found | is_special(*byte));
    let plain = bytes.as_chunks::<64>().0.iter().take_while(is_plain).count() * 64;
    plain + bytes[plain..].iter().take_while(|byte| !is_special(**byte)).count()
}

fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

fn text_of(ascii: Option<&[u8]>) -> Option<Option<Cow<'_, str>>> {
    ascii.map(|ascii| std::str::from_utf8(ascii).map(Cow::Borrowed)).transpose().ok()
}
