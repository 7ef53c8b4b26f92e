//! What one connection has for its event loop: events in order, and how it stands.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use super::doorbell::Doorbell;
use super::fault::{ConnectFault, Ended};
use super::mailbox::Mailbox;
use crate::Error;
use crate::playback::{AudioDelta, PlaybackPosition, PlaybackStats};

/// What may wait before the socket is left alone: more than a reply's transcript.
const MAX_EVENTS: usize = 1024;
const MAX_BYTES: usize = 16 << 20;

/// What the service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// An event's text.
    Text(Bytes),
    /// Audio that is in the playback buffer: of deltas in a row, the sum.
    Audio(AudioDelta),
    /// The user began to speak, which the next event tells: playback was interrupted.
    Interrupted {
        /// What was heard by then.
        position: PlaybackPosition,
        /// The buffer's counters right before.
        stats: PlaybackStats,
    },
    /// Audio that could not be read.
    Unreadable(Error),
}

/// How a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// On the way.
    Connecting,
    /// Events come and go.
    Open,
    /// It never came to be.
    Failed(ConnectFault),
    /// It is over.
    Ended(Ended),
}

#[derive(Debug)]
struct State {
    events: VecDeque<Incoming>,
    num_bytes: usize,
    standing: Standing,
    /// Wakes the connection, which waits for room.
    crowded_out: Option<Waker>,
}

impl State {
    fn push(&mut self, event: Incoming) {
        self.num_bytes += num_bytes(&event);
        self.events.push_back(event);
    }
}

/// The engine puts, the event loop takes.
#[derive(Debug)]
pub struct Inbox {
    session: u64,
    mailbox: Arc<Mailbox>,
    doorbell: Arc<Doorbell>,
    is_announced: AtomicBool,
    state: Mutex<State>,
}

impl Inbox {
    /// The inbox of the session of that number on its loop, which the thread of that door wakes.
    pub fn new(session: u64, mailbox: Arc<Mailbox>, doorbell: Arc<Doorbell>) -> Self {
        let state = State {
            events: VecDeque::new(),
            num_bytes: 0,
            standing: Standing::Connecting,
            crowded_out: None,
        };
        Self { session, mailbox, doorbell, is_announced: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// An event for the loop, which is woken.
    pub fn put(&self, event: Incoming) {
        self.state().push(event);
        self.announce();
    }

    /// Audio that was written. The loop is woken for it where `is_first`; else it finds it with the next event.
    pub fn put_audio(&self, delta: AudioDelta, is_first: bool) {
        let mut state = self.state();
        match state.events.back_mut() {
            Some(Incoming::Audio(last)) if last.continues_in(&delta) => last.add(&delta),
            _ => state.push(Incoming::Audio(delta)),
        }
        drop(state);
        if is_first {
            self.announce();
        }
    }

    /// The connection stands otherwise. What ended stays ended.
    pub fn stands(&self, standing: Standing) {
        let mut state = self.state();
        if !matches!(state.standing, Standing::Failed(_) | Standing::Ended(_)) {
            state.standing = standing;
        }
        drop(state);
        // Also where an announcement is out already: who waits for this may take no events.
        self.deliver();
    }

    /// Whether the socket is to be left alone; then `waiting` is woken when there is room.
    pub fn is_full(&self, waiting: &Waker) -> bool {
        let mut state = self.state();
        let is_full = state.events.len() >= MAX_EVENTS || state.num_bytes >= MAX_BYTES;
        if is_full {
            state.crowded_out = Some(waiting.clone());
        }
        is_full
    }

    /// Everything that waits. Audio alone never rings: it is found here.
    pub fn take(&self) -> VecDeque<Incoming> {
        // ORDERING: AcqRel with `announce`: what is put after this is announced anew.
        self.is_announced.swap(false, Ordering::AcqRel);
        let mut state = self.state();
        state.num_bytes = 0;
        if let Some(waiting) = state.crowded_out.take() {
            waiting.wake();
        }
        std::mem::take(&mut state.events)
    }

    /// How many events wait.
    pub fn num_events(&self) -> usize {
        self.state().events.len()
    }

    /// How the connection stands now.
    pub fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    fn announce(&self) {
        if !self.is_announced.swap(true, Ordering::AcqRel) {
            self.deliver();
        }
    }

    fn deliver(&self) {
        if self.mailbox.put(self.session) {
            self.doorbell.deliver(&self.mailbox);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the service alone decides the length of.
fn num_bytes(event: &Incoming) -> usize {
    match event {
        Incoming::Text(text) => text.len(),
        Incoming::Audio(delta) => {
            [&delta.response_id, &delta.item_id].into_iter().flatten().map(String::len).sum()
        }
        Incoming::Interrupted { .. } | Incoming::Unreadable(_) => 0,
    }
}
