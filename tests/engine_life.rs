//! The engine's beginning and end: alone in its process, where nobody else's threads are counted.
#![cfg(all(target_os = "linux", not(loom)))]

mod engine_support;

use std::fs;

use engine_support::{Client, Server, until};
use voicelane::engine::Engine;

fn num_engine_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("voicelane-")).count()
}

fn num_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

#[test]
fn the_engine_ends_with_its_last_connection() {
    let server = Server::start(|mut socket, _| while socket.read().is_ok() {});
    drop(Client::connect(&server)); // what a process has once
    let before = num_descriptors();
    for num_threads in [1, 3] {
        assert!(Engine::set_num_threads(num_threads));
        for _ in 0..20 {
            let first = Client::connect(&server);
            let second = Client::connect(&server);
            assert_eq!(num_engine_threads(), num_threads);
            assert!(!Engine::set_num_threads(7), "not while it runs");
            drop(first);
            assert_eq!(num_engine_threads(), num_threads);
            drop(second);
            assert_eq!(num_engine_threads(), 0);
        }
        until(|| num_descriptors() <= before); // the server's end is closed a moment later
    }
}
