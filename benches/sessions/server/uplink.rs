//! What a client sends, read as cheaply as it can be judged: an append by its two ends, one in 250 wholly.

use base64_simd::STANDARD;
use serde_json::Value;

use super::board::Session;
use super::clock::Adler;
use super::frames::ClientFrame;

/// How an append begins and ends: as voicelane writes it, and as azure-ai-voicelive does.
const SHAPES: [(&[u8], &[u8]); 2] = [
    (br#"{"type":"input_audio_buffer.append","audio":""#, br#""}"#),
    (br#"{"audio": ""#, br#"", "type": "input_audio_buffer.append"}"#),
];
const CHECKED_ONE_IN: u64 = 250;

/// What a text message of the client is.
pub enum Message {
    Append,
    Other(Value),
    Bad,
}

/// Counts the message, and says what it is.
pub fn read(frame: &ClientFrame, session: &mut Session) -> Message {
    let quick = quick_audio_bytes(frame);
    if let Some(audio_bytes) = quick
        && !session.appends.is_multiple_of(CHECKED_ONE_IN)
        && session.adler.is_none()
    {
        session.appends += 1;
        session.audio_bytes += audio_bytes;
        return Message::Append;
    }
    let mut text = Vec::with_capacity(frame.len());
    frame.unmask_into(&mut text);
    let Ok(event) = serde_json::from_slice::<Value>(&text) else {
        session.bad += 1;
        return Message::Bad;
    };
    if event["type"] != "input_audio_buffer.append" {
        return Message::Other(event);
    }
    session.appends += 1;
    session.checked += 1;
    match event["audio"].as_str().map(|audio| STANDARD.decode_to_vec(audio)) {
        // Whole samples, and as many as the length of the frame said.
        Some(Ok(pcm)) if pcm.len() % 2 == 0 && quick.is_none_or(|bytes| bytes == pcm.len() as u64) => {
            session.audio_bytes += pcm.len() as u64;
            if let Some(adler) = &mut session.adler {
                adler.update(&pcm);
            }
            Message::Append
        }
        _ => {
            session.bad += 1;
            Message::Bad
        }
    }
}

/// The audio of an append in bytes, by the length of its text; None where it has neither shape.
fn quick_audio_bytes(frame: &ClientFrame) -> Option<u64> {
    SHAPES.iter().find_map(|(begin, end)| {
        let num_chars = frame.len().checked_sub(begin.len() + end.len())?;
        let ends_at = begin.len() + num_chars;
        if num_chars < 4 || num_chars % 4 != 0 || !frame.has(0, begin) || !frame.has(ends_at, end) {
            return None;
        }
        let padding = (1..=2).filter(|&back| frame.byte(ends_at - back) == b'=').count();
        Some((num_chars / 4 * 3 - padding) as u64)
    })
}

/// Whether all that a session appends is checked, and its checksum kept.
pub fn watch(session: usize) -> Option<Adler> {
    session.is_multiple_of(25).then(Adler::default)
}
