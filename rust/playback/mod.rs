//! Service -> speaker: what the service said, kept until it is heard.
//!
//! One monotonic axis of frames carries everything. The *written* head belongs to the producer, the
//! *play* head to the consumer, and an interrupt is a third position on the same axis: whatever lies
//! before it is dropped, whatever lies after it is played, however the threads race.

mod buffer;
mod fade;
mod output;
mod queue;
mod reader;
mod samples;
mod shared;
mod timeline;
mod unheard;
mod writer;

pub use buffer::{PlaybackBuffer, PlaybackConfig, PlaybackControl, PlaybackStats};
pub use reader::PlaybackReader;
pub use timeline::PlaybackPosition;
pub use writer::{AudioDelta, PlaybackWriter};
