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

#[cfg(unix)]
mod connection;
#[cfg(unix)]
mod dial;
#[cfg(unix)]
mod doorbell;
#[cfg(unix)]
mod downlink;
#[cfg(unix)]
mod driver;
#[cfg(unix)]
mod fault;
#[cfg(unix)]
mod inbox;
#[cfg(unix)]
mod mailbox;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod runtime;
#[cfg(unix)]
mod tls;
mod uplink;

#[cfg(unix)]
pub use connection::{Close, Connection, Options};
#[cfg(unix)]
pub use dial::{MAX_MESSAGE_BYTES, Target};
#[cfg(unix)]
pub use doorbell::Doorbell;
#[cfg(unix)]
pub use downlink::{Downlink, Gate, Playback};
#[cfg(unix)]
pub use fault::{ConnectFault, Ended};
#[cfg(unix)]
pub use inbox::{Inbox, Incoming, Standing};
#[cfg(unix)]
pub use mailbox::Mailbox;
#[cfg(unix)]
pub use process::forked;
#[cfg(unix)]
pub use runtime::Engine;
pub use uplink::{MAX_AUDIO_MS, MAX_WAITING_EVENTS, Uplink};
