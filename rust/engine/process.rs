//! Which process this is: threads and locks do not follow into a forked child.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often this process came out of a fork: 0, 1 in a child, 2 in a grandchild.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// A process, as against those forked from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(u64);

impl Process {
    /// The one that runs this.
    pub fn this() -> Self {
        // ORDERING: Relaxed: it changes only while a child has one thread.
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Whether this is it.
    pub fn is_this(self) -> bool {
        self == Self::this()
    }
}

/// To be called in a child, right after the fork.
pub fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
