//! Base64 of the standard alphabet, with padding.

use base64_simd::{Out, STANDARD};

use crate::{Error, Result};

/// The length of the text for `num_bytes` bytes.
pub fn encoded_len(num_bytes: usize) -> usize {
    num_bytes.div_ceil(3) * 4
}

/// Appends `bytes` as text.
pub fn encode_into(bytes: &[u8], text: &mut String) {
    STANDARD.encode_append(bytes, text);
}

/// How many bytes `text` stands for, if it is base64.
///
/// # Errors
/// A length that no base64 has.
pub fn decoded_len(text: &[u8]) -> Result<usize> {
    STANDARD.decoded_length(text).map_err(|_| invalid(text))
}

/// Whether `text` is base64.
///
/// # Errors
/// Text that is not standard base64 with padding.
pub fn check(text: &[u8]) -> Result<()> {
    STANDARD.check(text).map_err(|_| invalid(text))
}

/// Fills `bytes`, which is `decoded_len` long, with what `text` stands for.
///
/// # Errors
/// Text that is not standard base64 with padding.
pub fn decode_into(text: &[u8], bytes: &mut [u8]) -> Result<()> {
    decode_into_parts(text, [bytes])
}

/// Fills the parts, one after the other, with what `text` stands for. Where they have room for less than
/// [`decoded_len`], the rest of the text is checked and left out.
///
/// # Errors
/// Text that is not standard base64 with padding; the parts are then in no particular state.
pub fn decode_into_parts<const N: usize>(text: &[u8], parts: [&mut [u8]; N]) -> Result<()> {
    decode_parts(text, parts).ok_or_else(|| invalid(text))
}

fn decode_parts<const N: usize>(mut text: &[u8], parts: [&mut [u8]; N]) -> Option<()> {
    // The last bytes of a group of three that stands across the end of a part.
    let (mut group, mut pending) = ([0; 3], 0..0);
    for part in parts {
        let carried = pending.len().min(part.len());
        let (head, body) = part.split_at_mut(carried);
        head.copy_from_slice(&group[pending.start..][..carried]);
        pending.start += carried;
        let whole_groups = body.len() / 3;
        let (whole, rest) = body.split_at_mut(whole_groups * 3);
        decode_exactly(text.split_off(..whole_groups * 4)?, whole)?;
        if !rest.is_empty() {
            let last = text.split_off(..4)?;
            let decoded_len = STANDARD.decoded_length(last).ok()?;
            let ends_early = decoded_len < 3 && !text.is_empty();
            if decoded_len < rest.len() || ends_early {
                return None;
            }
            decode_exactly(last, &mut group[..decoded_len])?;
            rest.copy_from_slice(&group[..rest.len()]);
            pending = rest.len()..decoded_len;
        }
    }
    STANDARD.check(text).ok()
}

fn decode_exactly(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let expected_len = bytes.len();
    let decoded = STANDARD.decode(text, Out::from_slice(bytes)).ok()?;
    (decoded.len() == expected_len).then_some(())
}

fn invalid(text: &[u8]) -> Error {
    Error::InvalidBase64 { actual: fault_of(text) }
}

/// What is wrong with a text that did not decode.
fn fault_of(text: &[u8]) -> String {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let body_len = text.len() - text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    match text[..body_len].iter().position(|byte| !is_digit(byte)) {
        Some(at) => format!("{:?} at character {at}", char::from(text[at])),
        None if !text.len().is_multiple_of(4) => format!("{} characters, no multiple of 4", text.len()),
        None => "bits left over before the padding".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decodes_into_parts_as_at_once(bytes in proptest::collection::vec(any::<u8>(), 0..60), cuts: [usize; 2], taken: usize) {
            let mut text = String::new();
            encode_into(&bytes, &mut text);
            let taken = taken % (bytes.len() + 1);
            let mut decoded = vec![0; taken];
            let (head, third) = decoded.split_at_mut(cuts[0] % (taken + 1));
            let (first, second) = head.split_at_mut(cuts[1] % (head.len() + 1));
            prop_assert_eq!(decode_into_parts(text.as_bytes(), [first, second, third]), Ok(()));
            prop_assert_eq!(&decoded, &bytes[..taken]);
        }

        /// The whole text must be right, whatever of it is wanted.
        #[test]
        fn refuses_what_is_refused_at_once(
            groups in proptest::collection::vec(proptest::sample::select(&["AAAA", "w/Aw", "AA==", "AAA=", "=", "A-"]), 0..6),
            cut: usize,
            taken: usize,
        ) {
            let text = groups.concat();
            let at_once = STANDARD.decode_to_vec(&text);
            let decoded_len = decoded_len(text.as_bytes()).unwrap_or_default();
            let taken = taken % (decoded_len + 1);
            let mut decoded = vec![0; taken];
            let (first, second) = decoded.split_at_mut(cut % (taken + 1));
            prop_assert_eq!(decode_into_parts(text.as_bytes(), [first, second]).is_ok(), at_once.is_ok());
        }
    }
}
