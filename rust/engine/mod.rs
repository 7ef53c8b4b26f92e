//! The native transport: one runtime carries every session of the process.
//!
//! ```text
//!  caller's thread                      engine's thread                            event loop's thread
//!
//!  CaptureEncoder ──> Uplink ────────> connection ──> socket
//!      (text)      (drops the oldest)      │
//!                                          │ <────── socket
//!                                       downlink ──> PlaybackWriter                 PlaybackReader
//!                                          └───────> Inbox ──> Mailbox ──(1 byte)──> take()
//! ```
//!
//! Audio in both directions never leaves Rust. What the caller puts is sent in batches: a `Doorbell` wakes the
//! engine's thread once for all sessions. What the service says of anything but audio waits in an [`Inbox`], and a
//! [`Mailbox`] wakes an event loop once for all its sessions.

mod connection;
mod dial;
mod doorbell;
mod downlink;
mod driver;
mod fault;
mod inbox;
mod mailbox;
mod process;
mod runtime;
mod tls;

pub use connection::{Close, Connection, Options, serve_stream};
pub use dial::{Io, MAX_MESSAGE_BYTES, Target};
pub use doorbell::Doorbell;
pub use downlink::{Downlink, Gate, Playback};
pub use fault::{ConnectFault, Ended};
pub use inbox::{Inbox, Incoming, Standing};
pub use mailbox::Mailbox;
pub use process::forked;
pub use runtime::Engine;
