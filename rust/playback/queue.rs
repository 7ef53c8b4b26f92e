//! An unbounded queue from one producer to one consumer: a chain of rtrb rings.
//!
//! A ring sized for the worst case would cost every idle session its backlog. Here the last slot of
//! a full ring carries the next, larger ring, so an idle queue is a few slots. Bounding the content is
//! the writer's task.
//!
//! The producer keeps its end of a ring that it left until the consumer has let go of the other: so it
//! is always the producer who allocates and frees.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer, RingBuffer};

const FIRST_RING_SLOTS: usize = 4;
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
    left: LeftRings<Slot<T>>,
}

/// The consumer's end.
#[derive(Debug)]
pub struct Receiver<T> {
    ring: Consumer<Slot<T>>,
}

/// Rings that the producer left and the consumer may still be in, the oldest first.
#[derive(Debug)]
pub struct LeftRings<T>(VecDeque<Producer<T>>);

/// Both ends of a new, empty queue.
pub fn queue<T>() -> (Sender<T>, Receiver<T>) {
    let (producer, consumer) = RingBuffer::new(FIRST_RING_SLOTS);
    let sender = Sender { ring: producer, ring_slots: FIRST_RING_SLOTS, left: LeftRings::new() };
    (sender, Receiver { ring: consumer })
}

impl<T> Sender<T> {
    /// Appends an item. Allocates when a ring is full, never waits.
    pub fn send(&mut self, item: T) {
        self.free_one();
        if self.ring.slots() == 1 {
            self.go_on((self.ring_slots * 2).min(LARGEST_RING_SLOTS));
        }
        push(&mut self.ring, Slot::Item(item));
    }

    /// Goes on with a small ring where many items made it large.
    pub fn shrink(&mut self) {
        if self.ring_slots > FIRST_RING_SLOTS {
            self.go_on(FIRST_RING_SLOTS);
        }
    }

    /// Frees the oldest ring if the consumer has left it.
    pub fn free_one(&mut self) {
        self.left.free_one();
    }

    fn go_on(&mut self, ring_slots: usize) {
        let (producer, consumer) = RingBuffer::new(ring_slots);
        push(&mut self.ring, Slot::NextRing(consumer));
        self.left.keep(std::mem::replace(&mut self.ring, producer));
        self.ring_slots = ring_slots;
    }
}

impl<T> Receiver<T> {
    /// The oldest item, left where it is; `None` where there is none yet. Never waits.
    pub fn peek(&mut self) -> Option<&T> {
        while let Ok(Slot::NextRing(_)) = self.ring.peek() {
            let Ok(Slot::NextRing(ring)) = self.ring.pop() else { unreachable!("it was peeked at") };
            self.ring = ring;
        }
        match self.ring.peek() {
            Ok(Slot::Item(item)) => Some(item),
            _ => None,
        }
    }

    /// Takes the oldest item, `None` where there is none yet. Never waits.
    pub fn receive(&mut self) -> Option<T> {
        self.peek()?;
        match self.ring.pop() {
            Ok(Slot::Item(item)) => Some(item),
            _ => unreachable!("it was peeked at"),
        }
    }
}

impl<T> LeftRings<T> {
    /// None.
    pub fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Keeps the end of a ring that was left.
    pub fn keep(&mut self, ring: Producer<T>) {
        self.0.push_back(ring);
    }

    /// Frees the oldest ring if the consumer has let go of it: one at a time, so that no call pays for
    /// a long backlog.
    pub fn free_one(&mut self) {
        if self.0.front().is_some_and(Producer::is_abandoned) {
            self.0.pop_front();
        }
        if self.0.is_empty() && self.0.capacity() > 0 {
            self.0 = VecDeque::new();
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
        for round in 0..200 {
            (0..round * 7).for_each(|i| sender.send((round, i)));
            assert_eq!(receiver.peek(), (round > 0).then_some(&(round, 0)));
            (0..round * 7).for_each(|i| assert_eq!(receiver.receive(), Some((round, i))));
            assert_eq!(receiver.receive(), None);
        }
    }

    #[test]
    fn frees_the_rings_that_the_consumer_left_and_no_other() {
        let (mut sender, mut receiver) = queue();
        (0..30).for_each(|i| sender.send(i));
        assert_eq!(sender.left.0.len(), 3, "rings of 4, 8 and 16 are full");
        (0..4).for_each(|i| assert_eq!(receiver.receive(), Some(i)));
        (0..3).for_each(|_| sender.free_one());
        assert_eq!(sender.left.0.len(), 2, "the consumer has left the first one alone");
        (4..30).for_each(|i| assert_eq!(receiver.receive(), Some(i)));
        sender.shrink();
        assert_eq!(receiver.peek(), None);
        (0..3).for_each(|_| sender.free_one());
        assert_eq!((sender.ring_slots, sender.left.0.capacity()), (FIRST_RING_SLOTS, 0));
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
