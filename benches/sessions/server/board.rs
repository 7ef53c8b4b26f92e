//! What the server saw: one line of JSON for each run of a client.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::clock::{Adler, cpu_ns, due_ns, now_ns};
use super::uplink::watch;

/// 20 ms of 24 kHz mono s16le.
const FRAME_BYTES: u64 = 960;

#[derive(Default)]
pub struct Session {
    pub appends: u64,
    pub audio_bytes: u64,
    pub checked: u64,
    pub bad: u64,
    /// Of a watched session: the checksum of all its audio.
    pub adler: Option<Adler>,
}

struct Arrival {
    session: usize,
    at_ns: u64,
    /// The frames of the session that arrived so far, this append included.
    frames: u64,
}

struct Sent {
    session: usize,
    at_ns: u64,
    late_ns: u64,
    is_audio: bool,
}

#[derive(Default)]
pub struct Board {
    pub sessions: BTreeMap<usize, Session>,
    pub open: usize,
    arrivals: Vec<Arrival>,
    sent: Vec<Sent>,
    ticks: Vec<(u64, u64)>,
    /// Why connections ended that did not end well.
    pub faults: Vec<String>,
}

/// What of a run is reported: its start, its window in milliseconds after that, and how its sessions were spread.
pub struct Asked {
    pub start_ns: u64,
    pub window_ms: (u64, u64),
    pub phases: usize,
    pub chunk_ns: u64,
}

impl Asked {
    /// From the words of a command.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let numbers: Vec<u64> = words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let &[start_ns, from_ms, to_ms, phases, chunk_ms] = &numbers[..] else { return None };
        Some(Asked {
            start_ns,
            window_ms: (from_ms, to_ms),
            phases: (phases as usize).max(1),
            chunk_ns: chunk_ms * 1_000_000,
        })
    }

    fn holds(&self, at_ns: u64) -> bool {
        let (from_ms, to_ms) = self.window_ms;
        (self.start_ns + from_ms * 1_000_000..self.start_ns + to_ms * 1_000_000).contains(&at_ns)
    }
}

impl Board {
    pub fn session(&mut self, index: usize) -> &mut Session {
        self.sessions.entry(index).or_insert_with(|| Session { adler: watch(index), ..Session::default() })
    }

    pub fn appended(&mut self, session: usize) {
        let frames = self.session(session).audio_bytes.div_ceil(FRAME_BYTES);
        self.arrivals.push(Arrival { session, at_ns: now_ns(), frames });
    }

    pub fn sent(&mut self, session: usize, due_ns: u64, is_audio: bool) {
        let at_ns = now_ns();
        self.sent.push(Sent { session, at_ns, late_ns: at_ns.saturating_sub(due_ns), is_audio });
    }

    /// Notes what the server itself has used so far.
    pub fn tick(&mut self) {
        let (user, system) = cpu_ns();
        self.ticks.push((now_ns(), user + system));
    }

    /// What each session has brought so far. What was noted of when is forgotten: a soak is long.
    pub fn count(&mut self) -> Value {
        (self.arrivals, self.sent, self.ticks) = Default::default();
        json!({"audio_bytes": self.bytes(), "open": self.open, "faults": self.faults})
    }

    fn bytes(&self) -> BTreeMap<usize, u64> {
        self.sessions.iter().map(|(&session, one)| (session, one.audio_bytes)).collect()
    }

    /// Begins anew, for the next run.
    pub fn forget(&mut self) {
        *self = Board { open: self.open, ..Board::default() };
    }

    pub fn report(&self, asked: &Asked) -> Value {
        let mut lateness_ns: Vec<_> = self.arrivals.iter().filter_map(|one| lateness(one, asked)).collect();
        let in_window = || self.sent.iter().filter(|one| asked.holds(one.at_ns));
        let mut own_ns: Vec<_> = in_window().map(|one| one.late_ns as i64).collect();
        let mut deltas = BTreeMap::<usize, u64>::new();
        let window_end_ns = asked.start_ns + asked.window_ms.1 * 1_000_000;
        for one in self.sent.iter().filter(|one| one.is_audio && one.at_ns < window_end_ns) {
            *deltas.entry(one.session).or_default() += 1;
        }
        let sum = |of: fn(&Session) -> u64| self.sessions.values().map(of).sum::<u64>();
        let adlers: BTreeMap<_, _> =
            self.sessions.iter().filter_map(|(n, one)| Some((n, one.adler?.value()))).collect();
        json!({
            "send_lateness_ms": quantiles(&mut lateness_ns),
            "appends": sum(|one| one.appends),
            "checked": sum(|one| one.checked),
            "bad": sum(|one| one.bad),
            "audio_bytes": self.bytes(),
            "adler": adlers,
            "deltas": deltas,
            "events": in_window().count(),
            "server_lateness_ms": quantiles(&mut own_ns),
            "server_cores": self.cores(asked),
            "still_open": self.open,
            "faults": self.faults,
        })
    }

    /// The share of a core that the server used in the window.
    fn cores(&self, asked: &Asked) -> Option<f64> {
        let ticks: Vec<_> = self.ticks.iter().filter(|(at_ns, _)| asked.holds(*at_ns)).collect();
        let (&&(from_ns, from_cpu), &&(to_ns, to_cpu)) = (ticks.first()?, ticks.last()?);
        (to_ns > from_ns).then(|| (to_cpu - from_cpu) as f64 / (to_ns - from_ns) as f64)
    }
}

/// How long after its last frame was complete an append arrived; None where that was outside of the window.
fn lateness(one: &Arrival, asked: &Asked) -> Option<i64> {
    let due_ns = asked.start_ns + due_ns(one.session, asked.phases, asked.chunk_ns, one.frames.max(1));
    asked.holds(due_ns).then(|| one.at_ns as i64 - due_ns as i64)
}

fn quantiles(sorted_ns: &mut [i64]) -> Value {
    sorted_ns.sort_unstable();
    let Some(last) = sorted_ns.len().checked_sub(1) else { return Value::Null };
    let ms = |per_mille: usize| sorted_ns[last * per_mille / 1000] as f64 / 1e6;
    let late = sorted_ns.iter().filter(|&&ns| ns > 20_000_000).count();
    json!({
        "p50": ms(500), "p99": ms(990), "max": ms(1000),
        "count": sorted_ns.len(), "over_20_ms": late as f64 / sorted_ns.len() as f64,
    })
}
