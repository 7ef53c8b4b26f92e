//! The client event that carries microphone audio.

use super::{base64, scan::scan_append};

pub(super) const APPEND: &str = "input_audio_buffer.append";
const BEFORE_AUDIO: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
const AFTER_AUDIO: &str = r#""}"#;

/// Appends `{"type":"input_audio_buffer.append","audio":"..."}` with `audio` as base64.
pub fn write_event(audio: &[u8], text: &mut String) {
    text.reserve(BEFORE_AUDIO.len() + base64::encoded_len(audio.len()) + AFTER_AUDIO.len());
    text.push_str(BEFORE_AUDIO);
    base64::encode_into(audio, text);
    text.push_str(AFTER_AUDIO);
}

/// The audio of an append event as clients write them; `None` for any other text, and for base64 that is none.
pub fn read_event(text: &[u8]) -> Option<Vec<u8>> {
    let encoded = scan_append(text)?;
    let mut audio = vec![0; base64::decoded_len(encoded).ok()?];
    base64::decode_into(encoded, &mut audio).ok()?;
    Some(audio)
}
