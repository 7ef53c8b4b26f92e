//! What the fuzzer checks: no text of a server makes the message path panic, and what it makes of a text is what a
//! reference over `serde_json::Value` makes of it.
#![allow(dead_code, reason = "each target takes its part")]

use std::fmt;
use std::sync::{Arc, Mutex};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use voicelane::engine::{Doorbell, Downlink, Gate, Inbox, Incoming, Mailbox, Playback};
use voicelane::playback::{AudioDelta, PlaybackBuffer, PlaybackConfig, PlaybackReader};
use voicelane::wire::event::{self, Event};

/// One event.
pub fn event(data: &[u8]) {
    let said = event::parse(data);
    if let Some(object) = Object::read(data) {
        assert_eq!(said, object.event(), "{}", String::from_utf8_lossy(data));
    }
}

/// Events, one in a line.
pub fn downlink(data: &[u8]) {
    let (wild, _, _) = ear();
    let (tame, inbox, mut reader) = ear();
    let mut reference = Reference::default();
    for text in data.split(|&byte| byte == b'\n') {
        wild.receive(text.to_vec().into());
        let Some(object) = Object::read(text) else { continue };
        if reference.receive(text, &object) {
            tame.receive(text.to_vec().into());
        }
    }
    let told: Vec<_> = inbox.take().into_iter().map(Told::from).collect();
    assert_eq!(told, reference.told);
    assert_eq!(reader.read_into(&mut vec![0; data.len()]), reference.num_frames);
}

fn ear() -> (Downlink, Arc<Inbox>, PlaybackReader) {
    let (writer, reader, control) =
        PlaybackBuffer::with_config(PlaybackConfig::default()).expect("the default is valid");
    let playback = Playback { writer: Arc::new(Mutex::new(writer)), control, interrupt_fade_ms: 0 };
    let mailbox = Arc::new(Mailbox::new().expect("two descriptors"));
    let inbox = Arc::new(Inbox::new(1, mailbox, Arc::new(Doorbell::default())));
    (Downlink::new(Some(playback), Arc::new(Gate::default()), Arc::clone(&inbox)), inbox, reader)
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Text(Vec<u8>),
    Audio(AudioDelta),
    Interrupted,
    Unreadable,
}

impl From<Incoming> for Told {
    fn from(incoming: Incoming) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_vec()),
            Incoming::Audio(delta) => Self::Audio(delta),
            Incoming::Interrupted { .. } => Self::Interrupted,
            Incoming::Unreadable(_) => Self::Unreadable,
        }
    }
}

/// What a downlink should make of what it hears.
#[derive(Default)]
struct Reference {
    /// The last response that began: told twice, it begins once.
    begun: Option<String>,
    audible: Option<String>,
    told: Vec<Told>,
    num_frames: usize,
    /// Of all that was heard, dropped, or waits.
    written_frames: u64,
}

impl Reference {
    /// Whether it has an opinion of that event; then it expects it to be received.
    fn receive(&mut self, text: &[u8], object: &Object) -> bool {
        if object.get("type").as_str() == Some("response.audio.delta") {
            return self.receive_audio(object);
        }
        match object.event().expect("an object that was read") {
            Event::ResponseCreated { response_id } => {
                let response_id = response_id.filter(|id| !id.is_empty());
                if response_id.is_none() || response_id != self.begun {
                    self.begun.clone_from(&response_id);
                    self.audible = response_id;
                }
            }
            Event::SpeechStarted => {
                self.audible = None;
                self.num_frames = 0;
                self.told.push(Told::Interrupted);
            }
            _ => {}
        }
        self.told.push(Told::Text(text.to_vec()));
        true
    }

    fn receive_audio(&mut self, object: &Object) -> bool {
        let Some(delta) = object.audio() else { return false };
        let is_heard = self.audible.is_some() && delta.response_id == self.audible;
        match object.get("delta").as_str().map(decoded_bytes) {
            Some(Base64::Bytes(num_bytes)) if is_heard => self.hear(delta, num_bytes),
            Some(Base64::Bytes(_)) => {}
            Some(Base64::Broken) if is_heard => self.told.push(Told::Unreadable),
            _ => return false,
        }
        true
    }

    fn hear(&mut self, mut delta: AudioDelta, num_bytes: usize) {
        delta.num_frames = num_bytes / 2;
        delta.start_frame = self.written_frames;
        delta.written_frames = num_bytes / 2;
        delta.trimmed_bytes = num_bytes % 2;
        self.num_frames += delta.num_frames;
        self.written_frames += delta.num_frames as u64;
        match self.told.last_mut() {
            Some(Told::Audio(last)) if last.continues_in(&delta) => last.add(&delta),
            _ => self.told.push(Told::Audio(delta)),
        }
    }
}

enum Base64 {
    Bytes(usize),
    Broken,
    /// Bits that are set after the end: no word on these.
    Odd,
}

fn decoded_bytes(text: &str) -> Base64 {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let values: Option<Vec<_>> = digits.bytes().map(|byte| LETTERS.iter().position(|&l| l == byte)).collect();
    let Some(values) = values else { return Base64::Broken };
    if !text.len().is_multiple_of(4) || padding > 2 || digits.is_empty() && padding > 0 {
        return Base64::Broken;
    }
    let unused_bits = [0, 2, 4][padding];
    if values.last().is_some_and(|last| last % (1 << unused_bits) != 0) {
        return Base64::Odd;
    }
    Base64::Bytes(values.len() * 6 / 8)
}

/// A JSON object without doubled keys, whose fields are of the types that the service gives them.
struct Object(Vec<(String, Value)>);

impl Object {
    fn read(text: &[u8]) -> Option<Self> {
        let object: Self = serde_json::from_slice(text).ok()?;
        let is_text = |name: &str| object.get(name).is_string() || object.get(name).is_null();
        let response = object.get("response");
        let response_is_plain = response.is_null()
            || response.is_object() && (response["id"].is_string() || response["id"].is_null());
        // Of an inner object the doubled keys cannot be seen here.
        let num_ids = String::from_utf8_lossy(text).matches("\"id\"").count();
        let is_plain = is_text("type") && is_text("response_id") && response_is_plain && num_ids < 2;
        (is_plain && !text.contains(&b'\\')).then_some(object)
    }

    fn get(&self, name: &str) -> &Value {
        self.0.iter().find(|(key, _)| key == name).map_or(&Value::Null, |(_, value)| value)
    }

    fn event(&self) -> Option<Event> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let response_id = text(&self.get("response")["id"]);
        Some(match self.get("type").as_str().unwrap_or_default() {
            "response.created" => Event::ResponseCreated { response_id },
            "response.done" => Event::ResponseDone { response_id },
            "response.audio.done" => Event::AudioDone { response_id: text(self.get("response_id")) },
            "input_audio_buffer.speech_started" => Event::SpeechStarted,
            _ => Event::Other,
        })
    }

    /// The delta, as yet without frames.
    fn audio(&self) -> Option<AudioDelta> {
        let index = |name: &str| match self.get(name) {
            Value::Null if self.0.iter().all(|(key, _)| key != name) => Some(0),
            value => value.as_u64().and_then(|index| u32::try_from(index).ok()),
        };
        let item_id = self.get("item_id");
        if !item_id.is_string() && !item_id.is_null() {
            return None;
        }
        Some(AudioDelta {
            response_id: self.get("response_id").as_str().map(str::to_owned),
            item_id: item_id.as_str().map(str::to_owned),
            output_index: index("output_index")?,
            content_index: index("content_index")?,
            num_frames: 0,
            start_frame: 0,
            written_frames: 0,
            trimmed_bytes: 0,
        })
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom("a doubled key"));
                    }
                    pairs.push((key, value));
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
