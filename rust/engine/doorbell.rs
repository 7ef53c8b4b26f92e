//! Wakes an engine's thread once for many sessions, and each event loop once for what that thread has for it.
//!
//! A wake-up is a system call and a switch, dearer than all else that 20 ms of audio cost. So the thread looks by
//! itself, every [`INTERVAL`], for as long as there is something to find, and is woken only after a time without.
//! In between it rests even where sockets have something: as network drivers moderate interrupts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crossbeam_queue::SegQueue;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::mailbox::Mailbox;
use super::process::Process;

/// How often the thread looks: what the caller puts is at most this much later on the wire, what the service says
/// at most this much later in the playback buffer, and at 100 sessions twenty sends share a wake-up.
const INTERVAL: Duration = Duration::from_millis(4);
/// How often it wakes the event loops, which cost ten times as much to wake. Audio, and that the user begins to
/// speak, take effect before; and where there is little to do, nothing waits.
const MAIL_INTERVAL: Duration = Duration::from_millis(8);

/// One engine thread's: who rang since it last looked.
#[derive(Debug)]
pub struct Doorbell {
    rang: SegQueue<Arc<Bell>>,
    /// Those that have something to collect.
    mail: SegQueue<Arc<Mailbox>>,
    is_asleep: AtomicBool,
    notify: Notify,
    process: Process,
}

impl Doorbell {
    /// Of a thread of this process.
    pub fn new() -> Self {
        let process = Process::this();
        let is_asleep = AtomicBool::new(false);
        Self { rang: SegQueue::new(), mail: SegQueue::new(), is_asleep, notify: Notify::new(), process }
    }

    fn ring(&self, bell: Arc<Bell>) {
        if !self.process.is_this() {
            return;
        }
        self.rang.push(bell);
        self.wake();
    }

    /// The mailbox's loop is to be woken, with others.
    pub fn deliver(&self, mailbox: &Arc<Mailbox>) {
        self.mail.push(Arc::clone(mailbox));
        self.wake();
    }

    fn wake(&self) {
        // ORDERING: SeqCst here and in `answer`, as the queue's own: of "rang" and "asleep" one side sees the other's.
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }

    /// Forgets who rang: each of them keeps this. Mail is delivered: its loop may go on with another engine.
    pub fn forget(&self) {
        while self.rang.pop().is_some() {}
        while let Some(mailbox) = self.mail.pop() {
            mailbox.ring();
        }
    }

    /// Wakes the sessions whose bell rang, and the loops that have mail, for ever.
    pub async fn answer(&self) {
        let mut mailed = Instant::now();
        loop {
            let mut anyone = false;
            while let Some(bell) = self.rang.pop() {
                anyone = true;
                bell.answered();
            }
            // Those who were woken, and those whose socket has something.
            tokio::task::yield_now().await;
            if !anyone || mailed.elapsed() >= MAIL_INTERVAL {
                mailed = Instant::now();
                while let Some(mailbox) = self.mail.pop() {
                    anyone = true;
                    mailbox.ring();
                }
            }
            if anyone {
                // The thread, not this task: what comes meanwhile is taken in one go.
                std::thread::sleep(INTERVAL);
                continue;
            }
            self.is_asleep.store(true, Ordering::SeqCst);
            if self.rang.is_empty() && self.mail.is_empty() {
                self.notify.notified().await;
            }
            self.is_asleep.store(false, Ordering::SeqCst);
        }
    }
}

/// One session's end of the doorbell: a waker for any thread.
#[derive(Debug)]
pub struct Bell {
    doorbell: Arc<Doorbell>,
    task: AtomicWaker,
    is_ringing: AtomicBool,
}

impl Bell {
    /// A bell at that door.
    pub fn new(doorbell: &Arc<Doorbell>) -> Arc<Self> {
        let doorbell = Arc::clone(doorbell);
        Arc::new(Self { doorbell, task: AtomicWaker::new(), is_ringing: AtomicBool::new(false) })
    }

    /// Whom to wake; to be said before looking for what there is to do.
    pub fn register(&self, task: &Waker) {
        self.task.register(task);
    }

    /// There is nobody to wake any more.
    pub fn forget(&self) {
        self.task.take();
    }

    fn answered(&self) {
        // ORDERING: AcqRel with `wake_by_ref`: who rings after this is put on the list again.
        self.is_ringing.swap(false, Ordering::AcqRel);
        self.task.wake();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ringing.swap(true, Ordering::AcqRel) {
            self.doorbell.ring(Arc::clone(self));
        }
    }
}
