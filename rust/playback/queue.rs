//! An unbounded queue from one producer to one consumer: a chain of rtrb rings.
//!
//! A ring sized for the worst case would cost every idle session its backlog. Here the last slot of
//! a full ring carries the next, larger ring, so an idle queue is a few slots and a backlog of
//! minutes is a handful of rings. Bounding the content is the writer's task.

use rtrb::{Consumer, Producer, RingBuffer};

const FIRST_RING_SLOTS: usize = 8;
const LARGEST_RING_SLOTS: usize = 1024;

#[derive(Debug)]
enum Slot<T> {
    Item(T),
    NextRing(Consumer<Slot<T>>),
}

/// The producer's end.
#[derive(Debug)]
pub struct Sender<T> {
    ring: Producer<Slot<T>>,
    ring_slots: usize,
}

/// The consumer's end.
#[derive(Debug)]
pub struct Receiver<T> {
    ring: Consumer<Slot<T>>,
}

/// Both ends of a new, empty queue.
pub fn queue<T>() -> (Sender<T>, Receiver<T>) {
    let (producer, consumer) = RingBuffer::new(FIRST_RING_SLOTS);
    (Sender { ring: producer, ring_slots: FIRST_RING_SLOTS }, Receiver { ring: consumer })
}

impl<T> Sender<T> {
    /// Appends an item. Allocates when a ring is full, never waits.
    pub fn send(&mut self, item: T) {
        if self.ring.slots() == 1 {
            self.ring_slots = (self.ring_slots * 2).min(LARGEST_RING_SLOTS);
            let (producer, consumer) = RingBuffer::new(self.ring_slots);
            push(&mut self.ring, Slot::NextRing(consumer));
            self.ring = producer;
        }
        push(&mut self.ring, Slot::Item(item));
    }
}

impl<T> Receiver<T> {
    /// Takes the oldest item, `None` where there is none yet. Never waits.
    pub fn receive(&mut self) -> Option<T> {
        loop {
            match self.ring.pop().ok()? {
                Slot::Item(item) => return Some(item),
                Slot::NextRing(ring) => self.ring = ring,
            }
        }
    }
}

fn push<T>(ring: &mut Producer<Slot<T>>, slot: Slot<T>) {
    // One slot is always left: `send` moves on to the next ring before it takes the last one, and
    // only the producer takes slots away.
    assert!(ring.push(slot).is_ok(), "a ring of the playback queue was full");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_over_many_rings() {
        let (mut sender, mut receiver) = queue();
        let mut next = 0;
        for round in 0..200 {
            (0..round * 7).for_each(|i| sender.send((round, i)));
            (0..round * 7).for_each(|i| assert_eq!(receiver.receive(), Some((round, i))));
            assert_eq!(receiver.receive(), None);
            next += 1;
        }
        assert_eq!(next, 200);
    }

    #[test]
    fn hands_over_between_threads() {
        const ITEMS: u32 = 100_000;
        let (mut sender, mut receiver) = queue();
        let producer = std::thread::spawn(move || (0..ITEMS).for_each(|i| sender.send(i)));
        let mut expected = 0;
        while expected < ITEMS {
            match receiver.receive() {
                Some(item) => {
                    assert_eq!(item, expected);
                    expected += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        producer.join().expect("the producer ends");
        assert_eq!(receiver.receive(), None);
    }
}
