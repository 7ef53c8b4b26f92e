//! Wakes an event loop once for all its sessions.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::SegQueue;

/// One event loop's: which sessions have something for it.
///
/// The loop watches [`fd`](Self::fd) for readability. At most one byte waits there, however many sessions there are.
#[derive(Debug)]
pub struct Mailbox {
    ready: SegQueue<u64>,
    is_rung: AtomicBool,
    sender: UnixStream,
    receiver: UnixStream,
}

impl Mailbox {
    /// An empty mailbox.
    ///
    /// # Errors
    /// The operating system's, mostly that too many files are open.
    pub fn new() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self { ready: SegQueue::new(), is_rung: AtomicBool::new(false), sender, receiver })
    }

    /// What becomes readable when somebody is ready.
    pub fn fd(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }

    /// Something waits for the session of that number. Returns whether the loop is to be woken by `ring`.
    pub fn put(&self, session: u64) -> bool {
        self.ready.push(session);
        // ORDERING: AcqRel with `collect`: what is put before it is found to be rung is collected by who clears it.
        !self.is_rung.swap(true, Ordering::AcqRel)
    }

    /// Wakes the loop.
    pub fn ring(&self) {
        // It cannot be full: a byte is written only after the one before was read. Broken, the loop is gone.
        let _ = (&self.sender).write(&[1]);
    }

    /// The sessions for which something waits.
    pub fn collect(&self) -> Vec<u64> {
        let _ = (&self.receiver).read(&mut [0; 8]);
        self.is_rung.swap(false, Ordering::AcqRel);
        std::iter::from_fn(|| self.ready.pop()).collect()
    }
}

impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}
