//! One client: handshake, then what it sends is counted and what is due is sent, one write for each event.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::board::Board;
use super::clock::{instant_of, now_ns};
use super::frames::{CLOSE, ClientFrame, PING, PONG, TEXT, frame};
use super::script::{CYCLE_MS, Kind, Script};
use super::uplink::{self, Message};

const BUFFER_BYTES: usize = 8 * 1024;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const SESSION_S: u64 = 3_600;
const GOING_AWAY: u16 = 1001;
const FAR_NS: u64 = 1_000_000_000 * 86_400;

/// First bytes of whole messages.
const TEXT_MESSAGE: u8 = 0x80 | TEXT;
const CLOSE_FRAME: u8 = 0x80 | CLOSE;
const PING_FRAME: u8 = 0x80 | PING;
const PONG_FRAME: u8 = 0x80 | PONG;

/// What all connections share.
#[derive(Clone)]
pub struct Hall {
    pub script: Arc<Script>,
    pub board: Arc<Mutex<Board>>,
    pub cuts: Arc<watch::Sender<Option<Cut>>>,
}

/// Which sessions are broken off.
#[derive(Clone, Copy)]
pub struct Cut {
    each: usize,
    remainder: usize,
}

impl Cut {
    /// From the words of a command.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let &[each, remainder] = words else { return None };
        Some(Cut { each: each.parse().ok().filter(|each| *each > 0)?, remainder: remainder.parse().ok()? })
    }

    fn hits(self, session: usize) -> bool {
        session % self.each == self.remainder
    }

    /// Whether that session is told, and not merely cut off.
    fn is_told(self, session: usize) -> bool {
        (session / self.each).is_multiple_of(2)
    }
}

struct Connection<S> {
    stream: S,
    session: usize,
    script: Arc<Script>,
    board: Arc<Mutex<Board>>,
    cuts: watch::Receiver<Option<Cut>>,
    /// What the service says that the session is.
    settings: Value,
    /// When the session's first cycle began, had it been there; None before its first append.
    origin_ns: Option<u64>,
    /// The next event of the script.
    cycle: usize,
    step: usize,
}

/// Serves a client until it closes.
///
/// # Errors
/// What is wrong with the connection, or with what came over it.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, hall: Hall) -> io::Result<()> {
    let Hall { script, board, cuts } = hall;
    let Some(session) = handshake(&mut stream).await? else { return Ok(()) };
    board.lock().expect("no panic").open += 1;
    let settings = settings(session);
    let mut connection = Connection {
        stream,
        session,
        script,
        board,
        cuts: cuts.subscribe(),
        settings,
        origin_ns: None,
        cycle: 0,
        step: 0,
    };
    let result = connection.run().await;
    connection.board.lock().expect("no panic").open -= 1;
    result
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) -> io::Result<()> {
        self.send(&json!({"event_id": "event_0", "type": "session.created", "session": self.settings}))
            .await?;
        let timer = sleep_until(instant_of(now_ns() + FAR_NS));
        tokio::pin!(timer);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut filled = 0;
        loop {
            let had_begun = self.origin_ns.is_some();
            let is_due = tokio::select! {
                // Err: the server ends, and this with it.
                _ = self.cuts.changed() => match self.is_cut() {
                    None => continue,
                    Some(cut) => return self.break_off(cut).await,
                },
                () = &mut timer => true,
                read = self.stream.read(&mut buffer[filled..]) => {
                    match read? {
                        0 => return Err(io::Error::other("the client left without a close frame")),
                        num_bytes => filled += num_bytes,
                    }
                    false
                }
            };
            if !is_due && !self.take(&mut buffer, &mut filled).await? {
                return Ok(());
            }
            if is_due || self.origin_ns.is_some() != had_begun {
                self.send_due().await?;
                timer.as_mut().reset(instant_of(self.due_ns()));
            }
        }
    }

    fn is_cut(&mut self) -> Option<Cut> {
        self.cuts.borrow_and_update().filter(|cut| cut.hits(self.session))
    }

    async fn break_off(&mut self, cut: Cut) -> io::Result<()> {
        if cut.is_told(self.session) {
            self.stream.write_all(&frame(CLOSE, &GOING_AWAY.to_be_bytes())).await?;
            self.stream.flush().await?;
        }
        Ok(())
    }

    /// Takes the whole frames in the buffer, and moves what is left to its start. False: the client closed.
    async fn take(&mut self, buffer: &mut Vec<u8>, filled: &mut usize) -> io::Result<bool> {
        let mut at = 0;
        while let Some(frame) = ClientFrame::parse(&buffer[at..*filled]).map_err(io::Error::other)? {
            at += frame.num_bytes;
            if !self.obey(&frame).await? {
                return Ok(false);
            }
        }
        buffer.copy_within(at..*filled, 0);
        *filled -= at;
        if *filled == buffer.len() {
            buffer.resize(2 * *filled, 0);
        }
        Ok(true)
    }

    async fn obey(&mut self, client: &ClientFrame<'_>) -> io::Result<bool> {
        let mut payload = Vec::new();
        match client.head {
            // The last frame of a text message; nothing that is measured here cuts messages.
            TEXT_MESSAGE => {
                let message =
                    uplink::read(client, self.board.lock().expect("no panic").session(self.session));
                match message {
                    Message::Append => self.appended(),
                    Message::Other(event) => self.answer(&event).await?,
                    Message::Bad => {}
                }
            }
            CLOSE_FRAME => {
                client.unmask_into(&mut payload);
                self.stream.write_all(&frame(CLOSE, &payload)).await?;
                self.stream.shutdown().await?;
                return Ok(false);
            }
            PING_FRAME => {
                client.unmask_into(&mut payload);
                self.stream.write_all(&frame(PONG, &payload)).await?;
                self.stream.flush().await?;
            }
            PONG_FRAME => {}
            head => return Err(io::Error::other(format!("a frame that begins with {head:#x}"))),
        }
        Ok(true)
    }

    fn appended(&mut self) {
        self.board.lock().expect("no panic").appended(self.session);
        if self.origin_ns.is_none() {
            self.origin_ns = Some(now_ns() - Script::joins_at_ms(self.session) * 1_000_000);
        }
    }

    async fn answer(&mut self, event: &Value) -> io::Result<()> {
        let reply = match event["type"].as_str().unwrap_or_default() {
            "session.update" => {
                if let (Some(now), Some(new)) = (self.settings.as_object_mut(), event["session"].as_object())
                {
                    now.extend(new.clone());
                }
                json!({"event_id": "event_1", "type": "session.updated", "session": self.settings})
            }
            // No response is active when the user begins to speak: what the service says to that.
            "response.cancel" => json!({"event_id": "event_2", "type": "error", "error": {
                "type": "invalid_request_error", "code": "response_cancel_not_active",
                "message": "Cancellation failed: no active response found", "param": null,
                "event_id": event["event_id"],
            }}),
            "conversation.item.truncate" => json!({
                "event_id": "event_3", "type": "conversation.item.truncated", "item_id": event["item_id"],
                "content_index": event["content_index"], "audio_end_ms": event["audio_end_ms"],
            }),
            _ => return Ok(()),
        };
        self.send(&reply).await
    }

    async fn send(&mut self, event: &Value) -> io::Result<()> {
        self.stream.write_all(&frame(TEXT, event.to_string().as_bytes())).await?;
        self.stream.flush().await
    }

    /// When the next event is due.
    fn due_ns(&self) -> u64 {
        let (at_ms, _) = self.script.steps[self.step];
        self.origin_ns
            .map_or(FAR_NS, |origin_ns| origin_ns + (self.cycle as u64 * CYCLE_MS + at_ms) * 1_000_000)
    }

    async fn send_due(&mut self) -> io::Result<()> {
        let script = self.script.clone();
        let joins_at_ms = Script::joins_at_ms(self.session);
        loop {
            let due_ns = self.due_ns();
            if due_ns > now_ns() {
                return Ok(());
            }
            let (at_ms, kind) = script.steps[self.step];
            let is_over = self.cycle == 0 && at_ms < joins_at_ms;
            if !is_over || Script::is_told(at_ms, kind, joins_at_ms) {
                self.stream.write_all(&script.cycles[self.cycle % script.cycles.len()][self.step]).await?;
                self.stream.flush().await?;
                let due_ns = if is_over { now_ns() } else { due_ns };
                let is_audio = matches!(kind, Kind::Audio(_));
                self.board.lock().expect("no panic").sent(self.session, due_ns, is_audio);
            }
            self.step += 1;
            if self.step == script.steps.len() {
                (self.cycle, self.step) = (self.cycle + 1, 0);
            }
        }
    }
}

/// Answers the request for a websocket. None: it was none, and the client was told so.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Option<usize>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > MAX_HEAD_BYTES {
            return Err(io::Error::other("not an HTTP request"));
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let session = lines.next().and_then(session_of);
    let key = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    let (Some(session), Some(key)) = (session, key) else {
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await?;
        stream.flush().await?;
        return Ok(None);
    };
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await?;
    Ok(Some(session))
}

/// Which session it is: the benchmark's clients call the model `bench-17`.
fn session_of(request_line: &str) -> Option<usize> {
    let target = request_line.strip_prefix("GET /voice-live/realtime?")?.split(' ').next()?;
    target.split('&').find_map(|pair| pair.strip_prefix("model=bench-")).and_then(|n| n.parse().ok())
}

/// What the service says that a session is.
fn settings(session: usize) -> Value {
    let now_s =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    json!({
        "id": format!("sess_E4BArhaTppDgIp3p{session:05}"), "object": "realtime.session",
        "model": "gpt-realtime", "modalities": ["text", "audio"], "instructions": "",
        "voice": {"name": "alloy", "type": "openai"}, "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000, "output_audio_format": "pcm16",
        "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
            "silence_duration_ms": 200, "create_response": true, "interrupt_response": true},
        "tools": [], "tool_choice": "auto", "max_response_output_tokens": "inf",
        "expires_at": now_s + SESSION_S,
    })
}
