//! The floor: what the same sessions cost with tokio-tungstenite alone, on one thread.
//!
//! ```text
//! floor_client URL SESSIONS CHUNK_MS WARMUP_MS WINDOW_MS [CA_FILE]
//! ```
//!
//! Sends the texts of appends, made before, on an absolute schedule; ignores what comes back. Prints the same
//! line of JSON as the Python clients.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64_simd::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use voicelane::capture::{CaptureEncoder, CaptureFormat};

use clock::{Adler, FRAME_NS, cpu_ns, due_ns, instant_of, now_ns};

mod clock;
#[path = "../../tests/signal/mod.rs"]
mod speech;

const MS: u64 = 1_000_000;
/// From the last connect to the first frame.
const LEAD_NS: u64 = 500 * MS;

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}
type WebSocket = WebSocketStream<Box<dyn Socket>>;

struct Plan {
    url: String,
    sessions: usize,
    chunk_frames: u64,
    warmup_ns: u64,
    window_ns: u64,
    tls: Option<TlsConnector>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(plan) = Plan::parse(&std::env::args().collect::<Vec<_>>())? else {
        return Err("expected: floor_client URL SESSIONS CHUNK_MS WARMUP_MS WINDOW_MS [CA_FILE]".into());
    };
    clock::raise_descriptors(plan.sessions as u64 + 100)?;
    let texts: Arc<[Message]> = append_texts(plan.chunk_frames).into();
    let connect_start = Instant::now();
    let mut sockets = Vec::new();
    for session in 0..plan.sessions {
        sockets.push(open(&plan, session).await?);
    }
    let connect_s = connect_start.elapsed().as_secs_f64();
    let start_ns = now_ns() + LEAD_NS;
    let end_ns = start_ns + plan.warmup_ns + plan.window_ns;
    let chunk_ns = plan.chunk_frames * FRAME_NS;
    let mut sessions = Vec::new();
    for (session, socket) in sockets.into_iter().enumerate() {
        let first_ns = start_ns + due_ns(session, plan.sessions, chunk_ns, plan.chunk_frames);
        sessions.push(tokio::spawn(talk(socket, texts.clone(), first_ns, end_ns, chunk_ns)));
    }
    sleep_until(instant_of(start_ns + plan.warmup_ns)).await;
    let (from, waited_from_ns, from_ns) = (cpu_ns(), waited_ns(), now_ns());
    sleep_until(instant_of(end_ns)).await;
    let (to, waited_to_ns, to_ns) = (cpu_ns(), waited_ns(), now_ns());
    let close_start = Instant::now();
    let mut appends = Vec::new();
    for session in sessions {
        appends.push(session.await??);
    }
    let watched = (0..plan.sessions).filter(|session| session % 25 == 0);
    let adler: BTreeMap<_, _> =
        watched.map(|session| (session, adler_of(&texts, appends[session]))).collect();
    let report = json!({
        "start_ns": start_ns, "phases": plan.sessions, "connect_s": connect_s,
        "window_s": (to_ns - from_ns) as f64 / 1e9,
        "user_s": (to.0 - from.0) as f64 / 1e9, "system_s": (to.1 - from.1) as f64 / 1e9,
        "waited_s": (waited_to_ns - waited_from_ns) as f64 / 1e9,
        "close_s": close_start.elapsed().as_secs_f64(),
        "fed_frames": appends.iter().map(|one| one * plan.chunk_frames).collect::<Vec<_>>(),
        "adler": adler,
    });
    Ok(writeln!(io::stdout(), "{report}")?)
}

impl Plan {
    fn parse(words: &[String]) -> io::Result<Option<Self>> {
        let [_, url, numbers @ ..] = words else { return Ok(None) };
        let (numbers, ca_file) = numbers.split_at(numbers.len().min(4));
        let numbers: Option<Vec<u64>> = numbers.iter().map(|word| word.parse().ok()).collect();
        let Some(&[sessions, chunk_ms, warmup_ms, window_ms]) = numbers.as_deref() else { return Ok(None) };
        Ok(Some(Plan {
            url: url.clone(),
            sessions: sessions as usize,
            chunk_frames: chunk_ms / 20,
            warmup_ns: warmup_ms * MS,
            window_ns: window_ms * MS,
            tls: ca_file.first().map(|file| connector(Path::new(file))).transpose()?,
        }))
    }
}

fn connector(ca_file: &Path) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(ca_file).map_err(io::Error::other)?;
    roots.add(authority).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The recorded question as voicelane writes it.
fn append_texts(chunk_frames: u64) -> Vec<Message> {
    let format = CaptureFormat { chunk_ms: Some(20 * chunk_frames as u32), ..CaptureFormat::default() };
    let mut encoder = CaptureEncoder::new(format).expect("valid");
    let speech = speech::speech_48k_stereo();
    let mut texts = Vec::new();
    for pcm in speech.chunks_exact(1_920) {
        let mut text = String::new();
        encoder.encode_event_into(pcm, &mut text).expect("whole frames");
        texts.extend((!text.is_empty()).then(|| Message::text(text)));
    }
    texts
}

/// The checksum of the audio of that many appends.
fn adler_of(texts: &[Message], appends: u64) -> u32 {
    let mut adler = Adler::default();
    for text in texts.iter().cycle().take(appends as usize) {
        let event: serde_json::Value = serde_json::from_slice(&text.clone().into_data()).expect("JSON");
        adler.update(&STANDARD.decode_to_vec(event["audio"].as_str().expect("audio")).expect("base64"));
    }
    adler.value()
}

async fn open(plan: &Plan, session: usize) -> Result<WebSocket, Box<dyn std::error::Error>> {
    let authority = plan.url.rsplit('/').next().expect("a URL");
    let tcp = TcpStream::connect(authority).await?;
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Socket> = match &plan.tls {
        Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost")?, tcp).await?),
        None => Box::new(tcp),
    };
    let url = format!("{}/voice-live/realtime?model=bench-{session}", plan.url);
    let (mut socket, _) = client_async(url, stream).await?;
    socket.send(Message::text(r#"{"type":"session.update","session":{}}"#)).await?;
    while let Some(message) = socket.next().await {
        if message?.into_text()?.contains("session.updated") {
            return Ok(socket);
        }
    }
    Err("the server closed before the session was ready".into())
}

/// How many appends were sent until `end_ns`.
async fn talk(
    mut socket: WebSocket,
    texts: Arc<[Message]>,
    first_ns: u64,
    end_ns: u64,
    every_ns: u64,
) -> Result<u64, tokio_tungstenite::tungstenite::Error> {
    let mut appends = 0;
    let first = instant_of(first_ns);
    let timer = sleep_until(first);
    tokio::pin!(timer);
    while first_ns + appends * every_ns < end_ns {
        tokio::select! {
            () = &mut timer => {
                socket.send(texts[appends as usize % texts.len()].clone()).await?;
                appends += 1;
                timer.as_mut().reset(first + Duration::from_nanos(appends * every_ns));
            }
            Some(message) = socket.next() => drop(message?),
        }
    }
    socket.close(None).await?;
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    Ok(appends)
}

/// How long this thread could have run so far and waited for a CPU, in nanoseconds.
fn waited_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|ns| ns.parse().ok()).unwrap_or_default()
}
