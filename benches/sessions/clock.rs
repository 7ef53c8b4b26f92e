//! The clock and the meters that the server and the floor share with the Python clients.

use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// One frame of the microphone.
pub const FRAME_NS: u64 = 20_000_000;

/// Nanoseconds of CLOCK_MONOTONIC: the same in every process of the machine, and `time.monotonic_ns` of Python.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the clock exists");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// The same point in time for tokio.
pub fn instant_of(at_ns: u64) -> Instant {
    Instant::now() + Duration::from_nanos(at_ns.saturating_sub(now_ns()))
}

/// CPU time of this process so far, in user mode and in the kernel, in nanoseconds.
pub fn cpu_ns() -> (u64, u64) {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the process exists");
    let ns = |time: nix::sys::time::TimeVal| time.num_microseconds() as u64 * 1000;
    (ns(usage.user_time()), ns(usage.system_time()))
}

/// When frame `frames` (from 1) of a session is complete, after the start of all: sessions are spread over a message.
pub fn due_ns(session: usize, phases: usize, chunk_ns: u64, frames: u64) -> u64 {
    (session % phases) as u64 * chunk_ns / phases as u64 + (frames - 1) * FRAME_NS
}

/// Raises the number of descriptors to what the system allows; an error when `needed` are more.
pub fn raise_descriptors(needed: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    if hard < needed {
        return Err(io::Error::other(format!(
            "{needed} sessions need as many descriptors, and `ulimit -Hn` is {hard}"
        )));
    }
    Ok(())
}

/// Adler-32, as `zlib.adler32`: which audio arrived, in which order.
#[derive(Clone, Copy)]
pub struct Adler(u32, u32);

impl Default for Adler {
    fn default() -> Self {
        Adler(1, 0)
    }
}

impl Adler {
    pub fn update(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(5552) {
            for &byte in block {
                self.0 += u32::from(byte);
                self.1 += self.0;
            }
            self.0 %= 65_521;
            self.1 %= 65_521;
        }
    }

    pub fn value(self) -> u32 {
        self.1 << 16 | self.0
    }
}
