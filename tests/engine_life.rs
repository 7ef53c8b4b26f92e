//! The engine's beginning and end: alone in its process, where nobody else's threads are counted.
#![cfg(all(target_os = "linux", not(loom)))]

mod engine_support;

use std::fs;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use engine_support::{Client, Server, until};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use voicelane::engine::{Engine, Mailbox};

fn num_engine_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("voicelane-")).count()
}

fn num_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// The tests take turns: each ends with no engine.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn the_engine_ends_with_its_last_connection() {
    let _alone = ALONE.lock();
    let server = Server::start(|mut socket, _| while socket.read().is_ok() {});
    drop(Client::connect(&server)); // what a process has once
    let before = num_descriptors();
    for num_threads in [1, 3] {
        assert!(Engine::set_num_threads(num_threads));
        for _ in 0..20 {
            let first = Client::connect(&server);
            let second = Client::connect(&server);
            // A thread has its name a moment after it was started.
            until(|| num_engine_threads() == num_threads);
            assert!(!Engine::set_num_threads(7), "not while it runs");
            drop(first);
            assert_eq!(num_engine_threads(), num_threads);
            drop(second);
            // A thread that was joined is in the list of tasks for a moment yet.
            until(|| num_engine_threads() == 0);
        }
        until(|| num_descriptors() <= before); // the server's end is closed a moment later
    }
}

/// A loop that waits for an engine's last word is woken, though the engine ends; and by the next engine.
#[test]
fn a_loop_is_woken_by_one_engine_after_the_other() {
    let _alone = ALONE.lock();
    let server = Server::start(|mut socket, _| while socket.read().is_ok() {});
    let mailbox = Arc::new(Mailbox::new().expect("two descriptors"));
    for _ in 0..200 {
        let client = Client::begin(&server, Arc::clone(&mailbox));
        until(|| is_readable(&mailbox));
        mailbox.collect();
        client.connection.abort("");
        drop(client);
    }
}

fn is_readable(mailbox: &Mailbox) -> bool {
    let mut descriptors = [PollFd::new(mailbox.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO) == Ok(1)
}
