//! The samples on their way: a chain of rings, each linked to the next by a mark on the axis.

use rtrb::chunks::WriteChunk;
use rtrb::{Consumer, Producer, RingBuffer};

use super::queue::LeftRings;
use crate::Result;

/// 1 KiB: 21 ms of 24 kHz. What an idle buffer costs.
const FIRST_RING_SAMPLES: usize = 512;
/// 256 KiB: 5.5 s of 24 kHz. Beyond this a backlog is many rings, so that memory goes back while it is heard.
const LARGEST_RING_SAMPLES: usize = 1 << 17;

/// The producer's end of the ring in use, and of those before it.
#[derive(Debug)]
pub struct SampleWriter {
    ring: Producer<i16>,
    left: LeftRings<i16>,
}

/// Where the chain went on to a new ring.
#[derive(Debug)]
pub struct NextRing {
    /// Samples that still went into the ring before.
    pub samples_before: usize,
    /// The consumer's end of it.
    pub ring: Consumer<i16>,
}

/// Both ends of the first ring.
pub fn samples() -> (SampleWriter, Consumer<i16>) {
    let (producer, consumer) = RingBuffer::new(FIRST_RING_SAMPLES);
    (SampleWriter { ring: producer, left: LeftRings::new() }, consumer)
}

impl SampleWriter {
    /// Appends `num_samples`, written by `fill` into three parts, of which some may be empty; nothing where it
    /// fails.
    /// Allocates where the backlog outgrew the ring. A frame of `num_channels` stands in one ring.
    pub fn append(
        &mut self,
        num_samples: usize,
        num_channels: usize,
        fill: impl FnOnce([&mut [i16]; 3]) -> Result<()>,
    ) -> Result<Option<NextRing>> {
        self.left.free_one();
        let room = self.ring.slots() / num_channels * num_channels;
        if num_samples <= room {
            let mut chunk = chunk(&mut self.ring, num_samples);
            let (first, second) = chunk.as_mut_slices();
            fill([first, second, &mut []])?;
            chunk.commit_all();
            return Ok(None);
        }
        let rest = num_samples - room;
        let doubled = (2 * self.ring.buffer().capacity()).min(LARGEST_RING_SAMPLES);
        let (mut next, ring) = RingBuffer::new(doubled.max(rest));
        let (mut last_chunk, mut next_chunk) = (chunk(&mut self.ring, room), chunk(&mut next, rest));
        let (first, second) = last_chunk.as_mut_slices();
        fill([first, second, next_chunk.as_mut_slices().0])?;
        last_chunk.commit_all();
        next_chunk.commit_all();
        self.left.keep(std::mem::replace(&mut self.ring, next));
        Ok(Some(NextRing { samples_before: room, ring }))
    }

    /// Goes on with a small ring where a backlog made it large: the large one can go once it was heard.
    pub fn shrink(&mut self) -> Option<NextRing> {
        self.left.free_one();
        if self.ring.buffer().capacity() == FIRST_RING_SAMPLES {
            return None;
        }
        let (next, ring) = RingBuffer::new(FIRST_RING_SAMPLES);
        self.left.keep(std::mem::replace(&mut self.ring, next));
        Some(NextRing { samples_before: 0, ring })
    }

    /// Frees the oldest ring if it was heard.
    pub fn free_one(&mut self) {
        self.left.free_one();
    }
}

fn chunk(ring: &mut Producer<i16>, num_samples: usize) -> WriteChunk<'_, i16> {
    // Only the producer takes room away, and it has just seen that there is enough.
    ring.write_chunk(num_samples).expect("room for the samples")
}
