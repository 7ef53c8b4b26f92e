//! Base64 of the standard alphabet, with padding.

use base64_simd::STANDARD;

use crate::{Error, Result};

/// The length of the text for `num_bytes` bytes.
pub fn encoded_len(num_bytes: usize) -> usize {
    num_bytes.div_ceil(3) * 4
}

/// Appends `bytes` as text.
pub fn encode_into(bytes: &[u8], text: &mut String) {
    STANDARD.encode_append(bytes, text);
}

/// Appends the bytes that `text` stands for.
///
/// # Errors
/// Text that is not standard base64 with padding; then `bytes` is as it was.
pub fn decode_into(text: &[u8], bytes: &mut Vec<u8>) -> Result<()> {
    STANDARD.decode_append(text, bytes).map_err(|_| Error::InvalidBase64 { actual: fault_of(text) })
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
