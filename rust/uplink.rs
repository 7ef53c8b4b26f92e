//! What waits to be sent: in order, bounded, the oldest audio dropped first.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use crossbeam_queue::SegQueue;
use futures_util::task::AtomicWaker;

/// More control events than a working connection ever leaves.
pub const MAX_WAITING_EVENTS: usize = 1024;

/// Audio waits no longer than this by default.
pub const MAX_AUDIO_MS: u64 = 2_000;

#[derive(Debug)]
struct Waiting {
    sequence: u64,
    text: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Audio {
        duration_us: u64,
    },
    /// The id where it is a new item of the conversation.
    Event {
        item_id: Option<String>,
    },
}

/// What the sender took from the queues and has not sent.
#[derive(Debug, Default)]
struct Heads {
    audio: Option<Waiting>,
    event: Option<Waiting>,
}

/// A queue from the microphone and the caller to the one sender of a connection; outlives the connection.
///
/// Audio and control events keep their order. Where more audio waits than the bound, the oldest is dropped and
/// counted; control events never are.
///
/// # Real-time
/// To put takes no lock and waits for nobody. It allocates room for the queue once in 31 calls.
#[derive(Debug)]
pub struct Uplink {
    max_audio_us: u64,
    audio: SegQueue<Waiting>,
    events: SegQueue<Waiting>,
    sequence: AtomicU64,
    waiting_us: AtomicU64,
    num_events: AtomicUsize,
    /// Taken by the sender, and not yet in the hands of the operating system.
    in_flight: AtomicBool,
    is_dropping: AtomicBool,
    taken_us: AtomicU64,
    sent_us: AtomicU64,
    dropped_us: AtomicU64,
    heads: Mutex<Heads>,
    sender: AtomicWaker,
}

impl Default for Uplink {
    fn default() -> Self {
        Self::new(MAX_AUDIO_MS)
    }
}

impl Uplink {
    /// An empty queue for that much audio.
    pub fn new(max_audio_ms: u64) -> Self {
        Self {
            max_audio_us: max_audio_ms * 1000,
            audio: SegQueue::new(),
            events: SegQueue::new(),
            sequence: AtomicU64::new(0),
            waiting_us: AtomicU64::new(0),
            num_events: AtomicUsize::new(0),
            in_flight: AtomicBool::new(false),
            is_dropping: AtomicBool::new(false),
            taken_us: AtomicU64::new(0),
            sent_us: AtomicU64::new(0),
            dropped_us: AtomicU64::new(0),
            heads: Mutex::new(Heads::default()),
            sender: AtomicWaker::new(),
        }
    }

    /// Appends the text of an audio event. Returns whether a time begins in which older audio has to go for it.
    pub fn put_audio(&self, text: String, duration_us: u64) -> bool {
        // ORDERING: the counters are Relaxed: they bound and report, and order nothing.
        self.taken_us.fetch_add(duration_us, Ordering::Relaxed);
        let waiting_us = self.waiting_us.fetch_add(duration_us, Ordering::Relaxed) + duration_us;
        self.audio.push(Waiting { sequence: self.next(), text, kind: Kind::Audio { duration_us } });
        let had_to_drop = waiting_us > self.max_audio_us;
        while self.waiting_us.load(Ordering::Relaxed) > self.max_audio_us && self.audio.len() > 1 {
            let Some(oldest) = self.audio.pop() else { break };
            self.dropped_us.fetch_add(self.leaves(&oldest), Ordering::Relaxed);
        }
        self.sender.wake();
        !self.is_dropping.swap(had_to_drop, Ordering::Relaxed) && had_to_drop
    }

    /// Appends a control event, `item_id` where it is a new item. `false` where too many wait: then it was not taken.
    pub fn put_event(&self, text: String, item_id: Option<String>) -> bool {
        if self.num_events.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING_EVENTS {
            self.num_events.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.events.push(Waiting { sequence: self.next(), text, kind: Kind::Event { item_id } });
        self.sender.wake();
        true
    }

    /// The next text to send. One sender at a time. To ask says that what was taken before was sent.
    pub fn take(&self) -> Option<String> {
        let mut heads = self.heads();
        // Until neither brings anything new: what was put before a head we have is then a head itself.
        loop {
            let had = (heads.audio.is_some(), heads.event.is_some());
            if heads.audio.is_none() {
                heads.audio = self.audio.pop();
            }
            if heads.event.is_none() {
                heads.event = self.events.pop();
            }
            if had == (heads.audio.is_some(), heads.event.is_some()) {
                break;
            }
        }
        let next = match (&heads.audio, &heads.event) {
            (Some(audio), Some(event)) if audio.sequence < event.sequence => heads.audio.take(),
            (_, Some(_)) => heads.event.take(),
            _ => heads.audio.take(),
        };
        self.in_flight.store(next.is_some(), Ordering::Release);
        let next = next?;
        self.sent_us.fetch_add(self.leaves(&next), Ordering::Relaxed);
        Some(next.text)
    }

    /// Whom to wake when there is something to send.
    pub fn register(&self, sender: &Waker) {
        self.sender.register(sender);
    }

    /// There is no sender for now.
    pub fn forget_sender(&self) {
        self.sender.take();
        self.settle();
    }

    /// What was taken is not in flight any more: it was sent, or its connection is gone.
    pub fn settle(&self) {
        self.in_flight.store(false, Ordering::Release);
    }

    /// Drops everything: the session is over. Not counted as dropped.
    pub fn clear(&self) {
        let mut heads = self.heads();
        let waiting = [heads.audio.take(), heads.event.take()];
        let queued = std::iter::from_fn(|| self.audio.pop().or_else(|| self.events.pop()));
        for one in waiting.into_iter().flatten().chain(queued) {
            self.leaves(&one);
        }
        self.settle();
    }

    /// Drops the control events, which were for a connection that is gone. Audio stays, and so do new items but
    /// for those with these ids: the next connection was told them already.
    pub fn forget_events(&self, told_item_ids: &HashSet<String>) {
        let mut heads = self.heads();
        let first = heads.event.take();
        let waiting: Vec<_> = first.into_iter().chain(std::iter::from_fn(|| self.events.pop())).collect();
        for event in waiting {
            let is_new =
                matches!(&event.kind, Kind::Event { item_id: Some(id) } if !told_item_ids.contains(id));
            if is_new {
                self.events.push(event);
            } else {
                self.leaves(&event);
            }
        }
        self.settle();
    }

    /// Whether everything put so far was sent.
    pub fn is_empty(&self) -> bool {
        // ORDERING: Acquire pairs with `take` and `settle`.
        self.waiting_us() == 0
            && self.num_events.load(Ordering::Acquire) == 0
            && !self.in_flight.load(Ordering::Acquire)
    }

    /// How much audio was put, in microseconds.
    pub fn taken_us(&self) -> u64 {
        self.taken_us.load(Ordering::Relaxed)
    }

    /// How much audio waits.
    pub fn waiting_us(&self) -> u64 {
        self.waiting_us.load(Ordering::Acquire)
    }

    /// How much audio was given to a connection.
    pub fn sent_us(&self) -> u64 {
        self.sent_us.load(Ordering::Relaxed)
    }

    /// How much audio had to go because the network was too slow.
    pub fn dropped_us(&self) -> u64 {
        self.dropped_us.load(Ordering::Relaxed)
    }

    fn heads(&self) -> std::sync::MutexGuard<'_, Heads> {
        // The sender's alone, but for a moment between two connections.
        self.heads.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One less waits. Returns its duration.
    fn leaves(&self, one: &Waiting) -> u64 {
        match one.kind {
            Kind::Audio { duration_us } => {
                self.waiting_us.fetch_sub(duration_us, Ordering::AcqRel);
                duration_us
            }
            Kind::Event { .. } => {
                self.num_events.fetch_sub(1, Ordering::AcqRel);
                0
            }
        }
    }

    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }
}
