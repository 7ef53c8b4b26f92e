//! From a server event to the playback buffer or the inbox.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::inbox::{Inbox, Incoming};
use crate::playback::{AudioDelta, PlaybackControl, PlaybackWriter};
use crate::wire::event::{self, Event};

/// Which response is to be heard.
///
/// As the session's own rule has it: from `response.created` on that one's, and none's once the user begins to
/// speak or the caller silenced it. It stands here too because the audio that follows must not wait for Python.
#[derive(Debug, Default)]
pub struct Gate {
    audible: Mutex<Audible>,
}

#[derive(Debug, Default)]
struct Audible {
    /// The last response that began.
    response_id: Option<String>,
    /// Nothing more of it is to be heard.
    is_cut_off: bool,
    /// Some of it was written since, and the utterance not declared complete.
    is_speaking: bool,
}

impl Gate {
    /// Nothing more of that response is to be heard. What is being written is in the buffer when this returns, so
    /// an interrupt that follows drops it.
    pub fn silence(&self, response_id: &str) {
        let mut audible = self.audible();
        if audible.response_id.as_deref() == Some(response_id) {
            audible.cut_off();
        }
    }

    fn audible(&self) -> MutexGuard<'_, Audible> {
        self.audible.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audible {
    /// "" where it is none's turn: no response is called so.
    fn id(&self) -> &str {
        self.response_id.as_deref().filter(|_| !self.is_cut_off).unwrap_or_default()
    }

    fn cut_off(&mut self) {
        self.is_cut_off = true;
        self.is_speaking = false;
    }
}

/// Where the audio goes.
#[derive(Debug, Clone)]
pub struct Playback {
    /// Shared with who else may write.
    pub writer: Arc<Mutex<PlaybackWriter>>,
    /// Cuts it off.
    pub control: PlaybackControl,
    /// How long it fades then.
    pub interrupt_fade_ms: u32,
}

/// Takes server events, one by one.
#[derive(Debug)]
pub struct Downlink {
    playback: Option<Playback>,
    gate: Arc<Gate>,
    inbox: Arc<Inbox>,
}

impl Downlink {
    /// Without `playback`, audio goes to the inbox as the text that it came in.
    pub fn new(playback: Option<Playback>, gate: Arc<Gate>, inbox: Arc<Inbox>) -> Self {
        Self { playback, gate, inbox }
    }

    /// Takes the text of a server event, whole.
    pub fn receive(&self, text: Bytes) {
        let Some(playback) = &self.playback else { return self.inbox.put(Incoming::Text(text)) };
        let mut writer = playback.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut audible = self.gate.audible();
        match writer.write_event_trimmed(&text, Some(audible.id())) {
            Ok(Some(delta)) => self.written(delta, &mut audible),
            Ok(None) => {
                self.follow(&text, &mut audible, &mut writer, playback);
                self.inbox.put(Incoming::Text(text));
            }
            Err(error) => self.inbox.put(Incoming::Unreadable(error)),
        }
    }

    fn written(&self, delta: AudioDelta, audible: &mut Audible) {
        if audible.id().is_empty() || delta.response_id.as_deref() != Some(audible.id()) {
            return;
        }
        let is_first = !std::mem::replace(&mut audible.is_speaking, true);
        self.inbox.put_audio(delta, is_first);
    }

    /// What an event means for the audio, at its very place in the stream: Python, which is told of it next, may
    /// be late, and what is written until then is not to be cut off with what was written before.
    fn follow(&self, text: &[u8], audible: &mut Audible, writer: &mut PlaybackWriter, playback: &Playback) {
        let Some(event) = event::parse(text) else { return };
        match event {
            Event::ResponseCreated { response_id } => {
                // "" is nobody's name.
                let response_id = response_id.filter(|id| !id.is_empty());
                // Told twice, it begins once.
                if response_id.is_none() || response_id != audible.response_id {
                    *audible = Audible { response_id, ..Audible::default() };
                }
            }
            Event::SpeechStarted => {
                audible.cut_off();
                let stats = playback.control.stats();
                let position = playback.control.interrupt(playback.interrupt_fade_ms);
                self.inbox.put(Incoming::Interrupted { position, stats });
            }
            Event::AudioDone { response_id } | Event::ResponseDone { response_id } => {
                if audible.is_speaking && response_id == audible.response_id {
                    audible.is_speaking = false;
                    writer.finish();
                }
            }
            Event::Other => {}
        }
    }
}
