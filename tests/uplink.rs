//! What waits to be sent: order, bounds, and what is dropped. `engine.rs` has it with a socket.
#![cfg(not(loom))]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use voicelane::uplink::{MAX_WAITING_EVENTS, Uplink};

fn drain(uplink: &Uplink) -> Vec<String> {
    std::iter::from_fn(|| uplink.take()).collect()
}

fn put_events(uplink: &Uplink, texts: &[&str]) {
    for text in texts {
        assert!(uplink.put_event((*text).to_owned(), None));
    }
}

#[test]
fn audio_and_events_leave_in_the_order_in_which_they_came() {
    let uplink = Uplink::default();
    for n in 0..30 {
        match n % 3 {
            0 => drop(uplink.put_audio(n.to_string(), 20_000)),
            _ => put_events(&uplink, &[&n.to_string()]),
        }
    }
    assert!(!uplink.is_empty());
    assert_eq!(drain(&uplink), (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(uplink.is_empty());
    assert_eq!((uplink.taken_us(), uplink.sent_us(), uplink.dropped_us()), (200_000, 200_000, 0));
}

#[test]
fn it_is_not_empty_while_something_is_in_flight() {
    let uplink = Uplink::default();
    put_events(&uplink, &["1"]);
    assert!(uplink.take().is_some());
    assert!(!uplink.is_empty());
    uplink.settle();
    assert!(uplink.is_empty());
}

#[test]
fn the_oldest_audio_goes_first_and_an_episode_is_told_once() {
    let uplink = Uplink::new(100);
    put_events(&uplink, &["first"]);
    let told: Vec<_> = (0..10).map(|n| uplink.put_audio(n.to_string(), 20_000)).collect();
    assert_eq!(told.iter().position(|&is_told| is_told), Some(5));
    assert_eq!(told.iter().filter(|&&is_told| is_told).count(), 1);
    assert_eq!((uplink.waiting_us(), uplink.dropped_us()), (100_000, 100_000));
    put_events(&uplink, &["last"]);
    assert_eq!(drain(&uplink), ["first", "5", "6", "7", "8", "9", "last"]);
    assert_eq!((uplink.sent_us(), uplink.taken_us()), (100_000, 200_000));
    // The next episode.
    assert!(!uplink.put_audio("a".to_owned(), 100_000));
    assert!(uplink.put_audio("b".to_owned(), 20_000));
    assert_eq!(drain(&uplink), ["b"]);
}

#[test]
fn one_chunk_longer_than_the_bound_is_kept() {
    let uplink = Uplink::new(100);
    uplink.put_audio("old".to_owned(), 20_000);
    assert!(uplink.put_audio("long".to_owned(), 500_000));
    assert_eq!(drain(&uplink), ["long"]);
}

#[test]
fn events_are_bounded_and_never_dropped() {
    let uplink = Uplink::default();
    let texts: Vec<_> = (0..MAX_WAITING_EVENTS).map(|n| n.to_string()).collect();
    assert!(texts.iter().all(|text| uplink.put_event(text.clone(), None)));
    assert!(!uplink.put_event("one more".to_owned(), None));
    assert_eq!(uplink.take().as_deref(), Some("0"));
    put_events(&uplink, &["there is room"]);
    assert!(!uplink.put_event("one more".to_owned(), None));
    let left = drain(&uplink);
    assert_eq!(left[..left.len() - 1], texts[1..]);
}

#[test]
fn a_lost_connection_takes_its_events_along_and_leaves_audio_and_new_items() {
    let uplink = Uplink::default();
    let item = |id: &str| assert!(uplink.put_event(id.to_owned(), Some(id.to_owned())));
    put_events(&uplink, &["taken", "head"]);
    uplink.put_audio("a".to_owned(), 20_000);
    item("told");
    item("new");
    put_events(&uplink, &["cancel"]);
    assert_eq!(uplink.take().as_deref(), Some("taken"));
    uplink.forget_events(&HashSet::from(["told".to_owned()]));
    item("newer");
    assert_eq!(drain(&uplink), ["a", "new", "newer"]);
    assert!(uplink.is_empty());
}

#[test]
fn what_is_cleared_is_neither_sent_nor_counted_as_dropped() {
    let uplink = Uplink::default();
    put_events(&uplink, &["1", "2"]);
    uplink.put_audio("3".to_owned(), 20_000);
    assert!(uplink.take().is_some());
    uplink.clear();
    assert!(uplink.is_empty());
    assert_eq!((uplink.take(), uplink.dropped_us(), uplink.waiting_us()), (None, 0, 0));
}

/// Two threads put, one takes: each one's own order is kept, and what is not dropped arrives once.
#[test]
fn nothing_is_lost_or_doubled_between_threads() {
    const NUM_PUTS: u64 = 30_000;
    const CHUNK_US: u64 = 1_000;
    let uplink = Uplink::new(50);
    let num_done = AtomicU64::new(0);
    let put = |name: char, every: u64| {
        for n in 0..NUM_PUTS {
            if n % every != 0 {
                uplink.put_audio(format!("{name}a {n}"), CHUNK_US);
            } else {
                while !uplink.put_event(format!("{name}e {n}"), None) {
                    thread::yield_now();
                }
            }
        }
        num_done.fetch_add(1, Ordering::Release);
    };
    let taken = thread::scope(|scope| {
        scope.spawn(|| put('x', 3));
        scope.spawn(|| put('y', 5));
        let mut taken = Vec::new();
        loop {
            // In this order: what was put before the last one was done is found after it.
            let is_done = num_done.load(Ordering::Acquire) == 2;
            match uplink.take() {
                Some(text) => taken.push(text),
                None if is_done => return taken,
                None => thread::yield_now(),
            }
        }
    });
    let is_event = |text: &&String| text.as_bytes()[1] == b'e';
    let num_events = NUM_PUTS.div_ceil(3) + NUM_PUTS.div_ceil(5);
    assert_eq!(taken.iter().filter(is_event).count() as u64, num_events);
    let num_audio = taken.len() as u64 - num_events;
    assert_eq!(num_audio * CHUNK_US, uplink.sent_us());
    assert_eq!(uplink.taken_us(), uplink.sent_us() + uplink.dropped_us());
    assert!(uplink.is_empty());
    for name in ["x", "y"] {
        let numbers = taken.iter().filter(|text| text.starts_with(name));
        let numbers: Vec<u64> = numbers.map(|text| text[3..].parse().expect("a number")).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "out of order");
    }
}
