//! Finds the audio in a raw server event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::scan::scan;
use crate::{Error, Result};

pub(super) const AUDIO_DELTA: &str = "response.audio.delta";

/// A `response.audio.delta` event, borrowed from its text where that has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioDeltaEvent<'a> {
    /// The response it belongs to.
    pub response_id: Option<Cow<'a, str>>,
    /// The item it belongs to.
    pub item_id: Option<Cow<'a, str>>,
    /// The item's place in the response.
    pub output_index: u32,
    /// The content part within the item.
    pub content_index: u32,
    /// Base64 of the audio.
    pub delta: Cow<'a, [u8]>,
}

/// The fields are looked at only where the type says so: other events use the same keys for other things.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    item_id: Option<&'a RawValue>,
    #[serde(borrow)]
    output_index: Option<&'a RawValue>,
    #[serde(borrow)]
    content_index: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The audio delta in the text of a server event, `None` where it is another event. Keys may come in
/// any order, with others between them.
///
/// # Errors
/// `InvalidEvent` where the text is no JSON object, or an audio delta with a field of a wrong type.
pub fn find(text: &[u8]) -> Result<Option<AudioDeltaEvent<'_>>> {
    match scan(text) {
        Some(event) => Ok(Some(event)),
        None => parse(text),
    }
}

/// As `find`, by the whole grammar of JSON.
fn parse(text: &[u8]) -> Result<Option<AudioDeltaEvent<'_>>> {
    let first = text.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| byte != b'{') {
        return Err(invalid(format!("text that starts with {:?}", char::from(first.unwrap_or_default()))));
    }
    let envelope: Envelope = serde_json::from_slice(text).map_err(invalid)?;
    if envelope.kind.and_then(text_of).is_none_or(|kind| kind != AUDIO_DELTA) {
        return Ok(None);
    }
    let delta =
        envelope.delta.and_then(text_of).ok_or_else(|| wrong_type("delta", "text", envelope.delta))?;
    Ok(Some(AudioDeltaEvent {
        response_id: optional_text("response_id", envelope.response_id)?,
        item_id: optional_text("item_id", envelope.item_id)?,
        output_index: index("output_index", envelope.output_index)?,
        content_index: index("content_index", envelope.content_index)?,
        delta: match delta {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
    }))
}

fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text>(value.get()).ok().map(|text| text.0)
}

fn optional_text<'a>(name: &str, value: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>> {
    match value {
        None => Ok(None),
        Some(raw) => text_of(raw).map(Some).ok_or_else(|| wrong_type(name, "text", value)),
    }
}

fn index(name: &str, value: Option<&RawValue>) -> Result<u32> {
    match value {
        None => Ok(0),
        Some(raw) => serde_json::from_str(raw.get()).map_err(|_| wrong_type(name, "an index from 0", value)),
    }
}

fn wrong_type(name: &str, expected: &str, value: Option<&RawValue>) -> Error {
    let actual: String = value.map_or("nothing", RawValue::get).chars().take(40).collect();
    invalid(format!("an audio delta whose {name} is not {expected}: {actual}"))
}

fn invalid(actual: impl ToString) -> Error {
    Error::InvalidEvent { actual: actual.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_the_quick_way_with_events_as_services_write_them() {
        let text = br#"{"type":"response.audio.delta", "event_id": "event_1","response_id":"resp_1","item_id":"item_1",
            "output_index":0,"content_index":123456789,"delta":"AQAB"}"#;
        assert!(scan(text).is_some());
        assert_eq!(scan(text), parse(text).expect("valid"));
    }

    /// Texts around an event: mostly JSON, mostly of an audio delta.
    fn texts() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            8 => proptest::sample::select(vec!["type", "response_id", "item_id", "output_index", "content_index", "delta"]),
            2 => proptest::sample::select(vec!["event_id", "", "typ", "d\\u0065lta", "\u{e9}"]),
        ];
        let value = prop_oneof![
            6 => Just(r#""response.audio.delta""#.to_owned()),
            4 => "\"[A-Za-z0-9+/=]{0,200}\"",
            4 => "(0|[1-9][0-9]{0,11}|0[0-9]|-1|1\\.5|1e3|)",
            2 => "\"[ -~\u{e9}\n\\\\]{0,8}\"",
            1 => proptest::sample::select(vec!["null", "true", "[]", r#"{"delta":"AQAB"}"#, "\"", "x"]).prop_map(String::from),
        ];
        let space = || "[ \n]{0,2}";
        let field = (space(), key, space(), space(), value, space())
            .prop_map(|(a, key, b, c, value, d)| format!("{a}\"{key}\"{b}:{c}{value}{d}"));
        let fields = proptest::collection::vec(field, 0..7).prop_map(|fields| fields.join(","));
        (
            proptest::sample::select(vec![
                ("{", "}"),
                ("{", ",}"),
                (" {", "} "),
                ("{", "}}"),
                ("{", ""),
                ("[", "]"),
            ]),
            fields,
        )
            .prop_map(|((open, close), fields)| {
                format!("{open}\"type\":\"response.audio.delta\",{fields}{close}")
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_quick_way_and_the_whole_grammar_agree(text in texts()) {
            for text in [text.clone(), text.replacen("\"type\":\"response.audio.delta\",", "", 1)] {
                if let Some(event) = scan(text.as_bytes()) {
                    prop_assert_eq!(parse(text.as_bytes()), Ok(Some(event)));
                }
            }
        }

        #[test]
        fn a_cut_or_changed_event_is_read_alike(at in 0..160_usize, byte: u8, cut: bool) {
            let mut text = br#"{"type":"response.audio.delta","event_id":"e","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":"AQABAQAB"}"#.to_vec();
            let at = at % text.len();
            if cut { text.truncate(at) } else { text[at] = byte }
            if let Some(event) = scan(&text) {
                prop_assert_eq!(parse(&text), Ok(Some(event)));
            }
        }
    }

    #[test]
    fn finds_the_audio_whatever_the_order_of_keys() {
        let text =
            br#" {"delta":"AQAB","extra":{"delta":[1,"}"]},"content_index":2,"type":"response.audio.delta",
            "item_id":"i\u0041","response_id":"r","output_index":1}"#;
        let event = find(text).expect("valid").expect("an audio delta");
        assert_eq!((event.delta.as_ref(), event.content_index, event.output_index), (&b"AQAB"[..], 2, 1));
        assert_eq!((event.item_id.as_deref(), event.response_id.as_deref()), (Some("iA"), Some("r")));
        assert!(matches!(event.delta, Cow::Borrowed(_)));
    }

    #[test]
    fn reads_an_escaped_slash_in_the_audio() {
        let event =
            find(br#"{"type":"response.audio.delta","delta":"ab\/+"}"#).expect("valid").expect("audio");
        assert_eq!(event.delta.as_ref(), b"ab/+");
    }

    #[test]
    fn leaves_other_events_alone() {
        let others: [&[u8]; 4] = [
            br#"{"type":"response.audio_transcript.delta","delta":"response.audio.delta"}"#,
            br#"{"type":"response.invocation.delta","delta":{"a":1}}"#,
            br#"{"delta":"AQAB"}"#,
            br#"{"type":17,"delta":"AQAB"}"#,
        ];
        others.iter().for_each(|text| assert_eq!(find(text), Ok(None)));
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong: [(&[u8], &str); 8] = [
            (b"", "EOF"),
            (b"[1]", "starts with '['"),
            (b"\"text\"", "starts with '\"'"),
            (b"{\"type\":\"response.audio.delta\"", "EOF"),
            (b"{\"type\":\"response.audio.delta\"} {", "trailing"),
            (br#"{"type":"response.audio.delta"}"#, "delta is not text: nothing"),
            (br#"{"type":"response.audio.delta","delta":null}"#, "delta is not text"),
            (
                br#"{"type":"response.audio.delta","delta":"","content_index":-1}"#,
                "content_index is not an index",
            ),
        ];
        for (text, part) in wrong {
            let message = find(text).expect_err("refused").to_string();
            assert!(message.contains(part), "{message} does not say {part}");
        }
    }
}
