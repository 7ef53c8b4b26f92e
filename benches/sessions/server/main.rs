//! Azure Voice Live as a load: serves a thousand sessions beside the client that is measured.
//!
//! ```text
//! load_server [FOLDER [WS_PORT WSS_PORT]]
//! ```
//!
//! Writes `reply.pcm`, what the agent says in each cycle, and `ca.pem`, the authority behind its certificate,
//! to FOLDER (default: the current one), and says where it listens: `{"ws": PORT, "wss": PORT}`, by default where the system likes. Then it
//! answers on its standard output what comes on its standard input:
//!
//! ```text
//! report START_NS FROM_MS TO_MS PHASES CHUNK_MS    what it saw of the run that began then; forgets it
//! count                   the bytes of audio that each session has brought; forgets when
//! cut EACH REMAINDER      breaks off every EACH-th session, from REMAINDER on: half of them without a word
//! ```
//!
//! It ends at the end of its input, at SIGTERM and at SIGINT.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use board::{Asked, Board};
use connection::{Cut, Hall};
use script::Script;

mod board;
#[path = "../clock.rs"]
mod clock;
mod connection;
mod frames;
mod script;
#[path = "../../../tests/signal/mod.rs"]
mod speech;
mod tls;
mod uplink;

const MAX_SESSIONS: u64 = 1_000;
const BACKLOG: u32 = 4_096;
const TICK: Duration = Duration::from_millis(100);
/// How long a report waits for clients that have ended to be gone here, too.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    clock::raise_descriptors(MAX_SESSIONS + 100)?;
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    let port = |nth| std::env::args().nth(nth).and_then(|port| port.parse().ok()).unwrap_or(0);
    let script = Arc::new(Script::new());
    let board = Arc::new(Mutex::new(Board::default()));
    let cuts = Arc::new(watch::Sender::new(None));
    std::fs::write(folder.join("reply.pcm"), &script.reply)?;
    let acceptor = tls::acceptor(&folder.join("ca.pem"))?;
    let (plain, secure) = (listen(port(2))?, listen(port(3))?);
    say(&json!({"ws": plain.local_addr()?.port(), "wss": secure.local_addr()?.port()}))?;
    let hall = Hall { script, board: board.clone(), cuts: cuts.clone() };
    tokio::spawn(accept(plain, None, hall.clone()));
    tokio::spawn(accept(secure, Some(acceptor), hall));
    tokio::spawn(tick(board.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = command(&board, &cuts) => result,
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
    .and_then(|()| {
        // Not by return: a read of the standard input that still waits would hold the runtime.
        std::process::exit(0)
    })
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // For one that takes the place of another, whose connections linger.
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, hall: Hall) {
    loop {
        let (acceptor, hall) = (acceptor.clone(), hall.clone());
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(async move {
                let board = hall.board.clone();
                if let Err(error) = serve(stream, acceptor, hall).await {
                    board.lock().expect("no panic").faults.push(error.to_string());
                }
            })),
            Err(error) => hall.board.lock().expect("no panic").faults.push(format!("accept: {error}")),
        }
    }
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, hall: Hall) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match acceptor {
        Some(acceptor) => connection::serve(acceptor.accept(stream).await?, hall).await,
        None => connection::serve(stream, hall).await,
    }
}

async fn tick(board: Arc<Mutex<Board>>) {
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
        board.lock().expect("no panic").tick();
    }
}

async fn command(board: &Mutex<Board>, cuts: &watch::Sender<Option<Cut>>) -> io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, numbers) = words.split_first().map_or(("", &[][..]), |(&name, numbers)| (name, numbers));
        match (name, Asked::parse(numbers), Cut::parse(numbers)) {
            ("report", Some(asked), _) => {
                closed(board).await;
                let mut board = board.lock().expect("no panic");
                say(&board.report(&asked))?;
                board.forget();
            }
            ("count", ..) => say(&board.lock().expect("no panic").count())?,
            ("cut", _, Some(cut)) => {
                cuts.send_replace(Some(cut));
                say(&json!({}))?;
            }
            _ => say(&json!({"error": "expected report, count or cut, with their numbers"}))?,
        }
    }
    Ok(())
}

async fn closed(board: &Mutex<Board>) {
    let all_gone = async {
        while board.lock().expect("no panic").open > 0 {
            tokio::time::sleep(TICK / 10).await;
        }
    };
    // Those that stay are in the report.
    let _ = tokio::time::timeout(CLOSED_WITHIN, all_gone).await;
}

fn say(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}
