//! What goes over the wire: base64 and the event texts that carry audio.

pub mod append;
pub mod base64;
pub mod delta;
pub mod event;
mod scan;
