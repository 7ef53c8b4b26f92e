//! What the audio path must know of a server event that is no audio.

use std::borrow::Cow;

use serde::Deserialize;

/// The events that begin and end what is to be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `response.created`.
    ResponseCreated {
        /// Which.
        response_id: Option<String>,
    },
    /// `response.audio.done`.
    AudioDone {
        /// Of which response.
        response_id: Option<String>,
    },
    /// `response.done`.
    ResponseDone {
        /// Which.
        response_id: Option<String>,
    },
    /// `input_audio_buffer.speech_started`.
    SpeechStarted,
    /// Any other.
    Other,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct AudioDone {
    response_id: Option<String>,
}

#[derive(Deserialize)]
struct WithResponse {
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    id: Option<String>,
}

/// What a server event says; `None` where the text is no JSON object with a text for a type.
pub fn parse(text: &[u8]) -> Option<Event> {
    let kind = serde_json::from_slice::<Kind<'_>>(text).ok()?.kind.unwrap_or_default();
    let response_id = || {
        let event = serde_json::from_slice::<WithResponse>(text).ok();
        event.and_then(|event| event.response).and_then(|response| response.id)
    };
    Some(match &*kind {
        "response.created" => Event::ResponseCreated { response_id: response_id() },
        "response.done" => Event::ResponseDone { response_id: response_id() },
        "response.audio.done" => {
            let event = serde_json::from_slice::<AudioDone>(text).ok();
            Event::AudioDone { response_id: event.and_then(|event| event.response_id) }
        }
        "input_audio_buffer.speech_started" => Event::SpeechStarted,
        _ => Event::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_begins_and_ends_a_response() {
        let id = || Some("resp_1".to_owned());
        let cases = [
            (
                r#"{"type":"response.created","response":{"object":"x","id":"resp_1","output":[{}]}}"#,
                Event::ResponseCreated { response_id: id() },
            ),
            (
                r#"{"response":{"id":"resp_1","output":[{"id":"item"}]},"type":"response.done"}"#,
                Event::ResponseDone { response_id: id() },
            ),
            (
                r#"{"type":"response.audio.done","response_id":"resp_1"}"#,
                Event::AudioDone { response_id: id() },
            ),
            (r#"{"type":"input_audio_buffer.speech_started","audio_start_ms":1}"#, Event::SpeechStarted),
            (r#"{"type":"response.created"}"#, Event::ResponseCreated { response_id: None }),
            (r#"{"type":"response.done","response":null}"#, Event::ResponseDone { response_id: None }),
            (r#"{"type":"session.updated","response":7}"#, Event::Other),
            (r#"{}"#, Event::Other),
        ];
        for (text, event) in cases {
            assert_eq!(parse(text.as_bytes()), Some(event), "{text}");
        }
        for text in ["", "null", "[]", "{", r#"{"type":3}"#] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
