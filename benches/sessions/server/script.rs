//! What every connection is told: a cycle of 8 s, 4 s of the user and 4 s of the agent, as frames made once.
//!
//! Events, fields and order are those recorded from the service for a realtime model.

use base64_simd::STANDARD;
use voicelane::audio::resample::{Quality, Resampler};

use super::frames::{TEXT, frame};
use super::speech;

pub const CYCLE_MS: u64 = 8_000;
const AGENT_AT_MS: u64 = 4_000;
const REPLY_SAMPLES: usize = 96_000; // 4 s at 24 kHz
const DELTA_SAMPLES: usize = 2_400; // 100 ms
/// Each cycle has ids of its own; after these (17 minutes) they come again.
const CYCLES: usize = 128;

/// What an event is, as far as the sender must know.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Of the user's half.
    User,
    /// Of the agent's half, and said even to who joins in the middle of it.
    Agent,
    Transcript,
    /// The audio delta with this number.
    Audio(u64),
}

pub struct Script {
    /// When each event of a cycle is due, after its start.
    pub steps: Vec<(u64, Kind)>,
    /// The frames: of each cycle, for each step.
    pub cycles: Vec<Vec<Vec<u8>>>,
    /// What the agent says in each cycle: s16le at 24 kHz, without a sample of silence.
    pub reply: Vec<u8>,
}

impl Script {
    pub fn new() -> Self {
        let reply = reply();
        let cycles: Vec<_> = (0..CYCLES).map(|cycle| cycle_events(cycle, &reply)).collect();
        let steps = cycles[0].iter().map(|&(at_ms, kind, _)| (at_ms, kind)).collect();
        let frames_of = |cycle: Vec<(u64, Kind, String)>| {
            cycle.into_iter().map(|(_, _, text)| frame(TEXT, text.as_bytes())).collect()
        };
        Script { steps, cycles: cycles.into_iter().map(frames_of).collect(), reply }
    }

    /// Where in the cycle a session begins, so that they do not all speak at once. The clients know it, too.
    pub fn joins_at_ms(session: usize) -> u64 {
        session as u64 * 4_944 % CYCLE_MS / 100 * 100
    }

    /// Whether a session that joins the cycle at `joins_at_ms` is told this event, at once where it is over.
    pub fn is_told(at_ms: u64, kind: Kind, joins_at_ms: u64) -> bool {
        match kind {
            Kind::User => joins_at_ms < AGENT_AT_MS,
            Kind::Agent => true,
            Kind::Transcript => at_ms >= joins_at_ms,
            Kind::Audio(delta) => AGENT_AT_MS + delta * 100 >= joins_at_ms,
        }
    }
}

/// The recorded question, as the agent would say it. No sample is 0: what is silent when heard was not sent.
fn reply() -> Vec<u8> {
    let mut resampler = Resampler::new(48_000, 24_000, 2, Quality::High).expect("a supported pair");
    let mut reply = Vec::new();
    resampler.process_into(&speech::speech_48k_stereo(), &mut reply).expect("whole frames");
    let samples = reply.iter().cycle().take(REPLY_SAMPLES);
    samples.flat_map(|&sample| if sample == 0 { 1 } else { sample }.to_le_bytes()).collect()
}

fn cycle_events(cycle: usize, reply: &[u8]) -> Vec<(u64, Kind, String)> {
    let ids = Ids::of(cycle);
    let mut events = user_events(&ids);
    events.extend(begin_events(&ids));
    for delta in 0..16 {
        events.push((
            AGENT_AT_MS + delta * 250,
            Kind::Transcript,
            ids.part("audio_transcript.delta", "\"delta\":\"word \""),
        ));
    }
    for (delta, pcm) in (0..).zip(reply.chunks(DELTA_SAMPLES * 2)) {
        let audio = format!("\"delta\":\"{}\"", STANDARD.encode_to_string(pcm));
        // The first two come together: a real service is ahead of the speaker, too.
        let at_ms = AGENT_AT_MS + 100 * u64::saturating_sub(delta, 1);
        events.push((at_ms, Kind::Audio(delta), ids.part("audio.delta", &audio)));
    }
    events.extend(end_events(&ids));
    events.sort_by_key(|&(at_ms, _, _)| at_ms); // stable
    events
}

fn user_events(ids: &Ids) -> Vec<(u64, Kind, String)> {
    let user = &ids.user;
    let item = format!(
        r#"{{"id":"{user}","object":"realtime.item","type":"message","status":"completed","role":"user","content":[{{"type":"input_audio","transcript":null}}]}}"#
    );
    [
        (400, "input_audio_buffer.speech_started", format!(r#""audio_start_ms":400,"item_id":"{user}""#)),
        (3_400, "input_audio_buffer.speech_stopped", format!(r#""audio_end_ms":3400,"item_id":"{user}""#)),
        (3_410, "input_audio_buffer.committed", format!(r#""previous_item_id":null,"item_id":"{user}""#)),
        (3_420, "conversation.item.created", format!(r#""previous_item_id":null,"item":{item}"#)),
        (
            3_600,
            "conversation.item.input_audio_transcription.completed",
            format!(r#""item_id":"{user}","content_index":0,"transcript":"What is the weather like today?""#),
        ),
    ]
    .map(|(at_ms, name, fields)| (at_ms, Kind::User, ids.event(name, &fields)))
    .into()
}

fn begin_events(ids: &Ids) -> Vec<(u64, Kind, String)> {
    let Ids { response, agent, user, .. } = ids;
    let item = ids.agent_item("in_progress", "");
    [
        ("response.created", format!(r#""response":{}"#, ids.response("in_progress", "", "null"))),
        ("response.output_item.added", format!(r#""response_id":"{response}","output_index":0,"item":{item}"#)),
        ("conversation.item.created", format!(r#""previous_item_id":"{user}","item":{item}"#)),
        (
            "response.content_part.added",
            format!(r#""response_id":"{response}","item_id":"{agent}","output_index":0,"content_index":0,"part":{{"type":"audio","transcript":""}}"#),
        ),
    ]
    .map(|(name, fields)| (AGENT_AT_MS, Kind::Agent, ids.event(name, &fields)))
    .into()
}

fn end_events(ids: &Ids) -> Vec<(u64, Kind, String)> {
    let words = "word ".repeat(16);
    let part = format!(r#"{{"type":"audio","transcript":"{words}"}}"#);
    let item = ids.agent_item("completed", &part);
    let usage = r#"{"total_tokens":143,"input_tokens":44,"output_tokens":99,"input_token_details":{"cached_tokens":0,"text_tokens":14,"audio_tokens":30,"image_tokens":0,"cached_tokens_details":{}},"output_token_details":{"text_tokens":27,"audio_tokens":72,"reasoning_tokens":0}}"#;
    let done = format!(r#""response_id":"{}","output_index":0,"item":{item}"#, ids.response);
    [
        ids.part("audio.done", ""),
        ids.part("audio_transcript.done", &format!(r#""transcript":"{words}""#)),
        ids.part("content_part.done", &format!(r#""part":{part}"#)),
        ids.event("response.output_item.done", &done),
        ids.event("response.done", &format!(r#""response":{}"#, ids.response("completed", &item, usage))),
    ]
    .map(|text| (7_850, Kind::Agent, text))
    .into()
}

/// The ids of one cycle, as long as the service's.
struct Ids {
    cycle: usize,
    response: String,
    user: String,
    agent: String,
}

impl Ids {
    fn of(cycle: usize) -> Self {
        let id = |prefix: &str| format!("{prefix}_E4BAsy7BWzPzysFg4{cycle:04}");
        Ids { cycle, response: id("resp"), user: id("item_U"), agent: id("item_A") }
    }

    fn event(&self, name: &str, fields: &str) -> String {
        format!(r#"{{"event_id":"event_6UkYip0C2Yhq5gLxl{:04}","type":"{name}",{fields}}}"#, self.cycle)
    }

    /// An event of the response's only part.
    fn part(&self, name: &str, fields: &str) -> String {
        let comma = if fields.is_empty() { "" } else { "," };
        let Ids { response, agent, .. } = self;
        let place =
            format!(r#""response_id":"{response}","item_id":"{agent}","output_index":0,"content_index":0"#);
        self.event(&format!("response.{name}"), &format!("{place}{comma}{fields}"))
    }

    fn agent_item(&self, status: &str, content: &str) -> String {
        let agent = &self.agent;
        format!(
            r#"{{"id":"{agent}","object":"realtime.item","type":"message","status":"{status}","role":"assistant","content":[{content}]}}"#
        )
    }

    fn response(&self, status: &str, output: &str, usage: &str) -> String {
        let response = &self.response;
        format!(
            r#"{{"object":"realtime.response","id":"{response}","status":"{status}","status_details":null,"output":[{output}],"usage":{usage},"conversation_id":"conv_E4BAr9usL55WmM0uYbEau","modalities":["audio","text"],"voice":{{"name":"alloy","type":"openai"}},"output_audio_format":"pcm16","temperature":null,"max_output_tokens":"inf","metadata":null}}"#
        )
    }
}
