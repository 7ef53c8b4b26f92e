//! The client event that carries microphone audio.

use super::base64;

const BEFORE_AUDIO: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
const AFTER_AUDIO: &str = r#""}"#;

/// The length of the event text for `num_bytes` bytes of audio.
pub fn event_len(num_bytes: usize) -> usize {
    BEFORE_AUDIO.len() + base64::encoded_len(num_bytes) + AFTER_AUDIO.len()
}

/// Appends `{"type":"input_audio_buffer.append","audio":"..."}` with `audio` as base64.
pub fn write_event(audio: &[u8], text: &mut String) {
    text.reserve(event_len(audio.len()));
    text.push_str(BEFORE_AUDIO);
    base64::encode_into(audio, text);
    text.push_str(AFTER_AUDIO);
}
