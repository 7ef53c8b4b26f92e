//! A websocket server of threads, and the client's side of a connection.
#![allow(dead_code, reason = "each test takes its part")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::WebSocket;
use voicelane::engine::{Connection, Engine, Mailbox, Options, Standing, Target};
use voicelane::uplink::Uplink;

pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Waits for what another thread does.
pub fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < TIMEOUT, "it does not happen");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Serves every connection on a thread of its own, which ends with the connection.
pub struct Server {
    address: SocketAddr,
    seen: Mutex<Receiver<String>>,
}

impl Server {
    pub fn start(serve: fn(WebSocket<TcpStream>, Sender<String>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (sender, seen) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                thread::spawn(move || {
                    stream.set_nodelay(true).expect("a socket");
                    // The client may be gone before it is open.
                    if let Ok(socket) = tungstenite::accept(stream) {
                        serve(socket, sender);
                    }
                });
            }
        });
        Self { address, seen: Mutex::new(seen) }
    }

    /// What `serve` saw next.
    pub fn next(&self) -> String {
        self.seen.lock().expect("one test").recv_timeout(TIMEOUT).expect("it comes")
    }
}

/// For an address, with a time-out that no loaded machine reaches.
pub fn options(address: &str) -> Options {
    let url = format!("ws://{address}/").parse().expect("a URL");
    let target = Target { url, headers: http::HeaderMap::new(), ca_file: None };
    Options { target, connect_timeout: TIMEOUT, heartbeat: TIMEOUT, close_timeout: TIMEOUT }
}

/// An open connection to a server.
pub struct Client {
    pub connection: Connection,
    pub uplink: Arc<Uplink>,
}

impl Client {
    pub fn connect(server: &Server) -> Self {
        let client = Self::begin(server, Arc::new(Mailbox::new().expect("two descriptors")));
        until(|| client.connection.inbox().standing() != Standing::Connecting);
        assert_eq!(client.connection.inbox().standing(), Standing::Open);
        client
    }

    /// Connects, and tells that mailbox how it goes.
    pub fn begin(server: &Server, mailbox: Arc<Mailbox>) -> Self {
        let engine = Engine::of_process().expect("a thread");
        let options = options(&server.address.to_string());
        let connection = Connection::open(engine, options, 1, mailbox, None);
        Self { connection, uplink: Arc::new(Uplink::default()) }
    }

    /// The uplink is sent from now on.
    pub fn attach(&self) {
        self.connection.attach(Some(Arc::clone(&self.uplink)));
    }
}
