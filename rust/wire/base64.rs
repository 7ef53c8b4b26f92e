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

/// Fills `bytes`, which is `decoded_len` long, with what `text` stands for.
///
/// # Errors
/// Text that is not standard base64 with padding.
///
/// # Panics
/// If `bytes` is shorter than that.
pub fn decode_into(text: &[u8], bytes: &mut [u8]) -> Result<()> {
    let expected_len = bytes.len();
    match STANDARD.decode(text, Out::from_slice(bytes)) {
        Ok(decoded) if decoded.len() == expected_len => Ok(()),
        _ => Err(invalid(text)),
    }
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
