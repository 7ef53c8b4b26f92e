//! The fuzzer's checks without a fuzzer: its seeds, what it found once, and thousands of variants of them.
#![cfg(all(unix, not(loom)))]

#[path = "../fuzz/audio.rs"]
mod audio;
#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "../fuzz/websocket.rs"]
mod websocket;

use std::fs;

const NUM_VARIANTS: usize = 400;

/// The same numbers in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

/// A few bytes changed, cut out, doubled or taken from elsewhere.
fn variant(text: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=numbers.below(4) {
        let start = numbers.below(text.len() + 1);
        let end = start + numbers.below(text.len() - start + 1).min(40);
        match numbers.below(5) {
            0 => drop(text.splice(start..end, [])),
            1 => drop(text.splice(start..start, text[start..end].to_vec())),
            2 => drop(text.splice(start..end, [numbers.below(256) as u8])),
            3 => drop(text.splice(start..start, *b"\"")),
            _ => {
                let from = numbers.below(other.len() + 1);
                let to = from + numbers.below(other.len() - from + 1);
                drop(text.splice(start..end, other[from..to].to_vec()));
            }
        }
    }
    text
}

fn replay(target: &str, check: fn(&[u8])) {
    let folder = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder).expect("seeds").flatten().map(|file| file.path()).collect();
    files.sort();
    let seeds: Vec<_> = files.iter().map(|path| fs::read(path).expect("readable")).collect();
    assert!(!seeds.is_empty());
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for seed in &seeds {
        check(seed);
        for _ in 0..NUM_VARIANTS {
            let other = &seeds[numbers.below(seeds.len())];
            check(&variant(seed, other, &mut numbers));
        }
    }
}

#[test]
fn events() {
    replay("event", checks::event);
}

#[test]
fn downlinks() {
    replay("downlink", checks::downlink);
}

#[test]
fn frames() {
    replay("frames", websocket::frames);
}

#[test]
fn handshakes() {
    replay("handshake", websocket::handshake);
}

#[test]
fn captures() {
    replay("capture", audio::capture);
}

#[test]
fn playbacks() {
    replay("playback", audio::playback);
}
