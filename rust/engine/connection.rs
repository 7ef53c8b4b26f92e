//! One connection: what its owner holds, and the task that serves it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

use crossbeam_queue::SegQueue;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::task::AbortHandle;

use super::dial::{Io, Target, dial, open};
use super::doorbell::{Bell, Doorbell};
use super::downlink::{Downlink, Gate, Playback};
use super::driver::Driver;
use super::fault::{ConnectFault, Ended};
use super::inbox::{Inbox, Standing};
use super::mailbox::Mailbox;
use super::runtime::{Engine, Worker};
use crate::uplink::Uplink;

/// Texts that wait for the socket outside the uplink: settings and history.
const MAX_TEXTS: usize = 1024;

/// How a connection is to be made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to, and as whom.
    pub target: Target,
    /// For everything up to the open websocket.
    pub connect_timeout: Duration,
    /// A connection that is silent for so long is asked whether it lives, and given up after half as long again.
    pub heartbeat: Duration,
    /// For the other side to say that it closes too.
    pub close_timeout: Duration,
}

/// The close frame that this side sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The close code.
    pub code: u16,
    /// The reason, at most 123 bytes of UTF-8.
    pub reason: String,
}

/// What the owner and the task share.
#[derive(Debug)]
pub struct Shared {
    inbox: Arc<Inbox>,
    bell: Arc<Bell>,
    texts: SegQueue<String>,
    num_texts: AtomicUsize,
    orders: Mutex<Orders>,
}

impl Shared {
    fn new(inbox: Arc<Inbox>, doorbell: &Arc<Doorbell>) -> Arc<Self> {
        let (texts, orders) = (SegQueue::new(), Mutex::default());
        Arc::new(Self { inbox, bell: Bell::new(doorbell), texts, num_texts: AtomicUsize::new(0), orders })
    }
}

#[derive(Debug, Default)]
struct Orders {
    uplink: Option<Arc<Uplink>>,
    close: Option<Close>,
}

impl Shared {
    /// What is for the event loop.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Wakes the task.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Whether the owner wants it closed; told once.
    pub fn take_close(&self) -> Option<Close> {
        self.orders().close.take()
    }

    /// Where audio is to be taken from now.
    pub fn uplink(&self) -> Option<Arc<Uplink>> {
        self.orders().uplink.clone()
    }

    /// The next text beside the uplink's.
    pub fn take_text(&self) -> Option<String> {
        let text = self.texts.pop()?;
        self.num_texts.fetch_sub(1, Ordering::Relaxed);
        Some(text)
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, as its owner has it. Dropped, it is cut off without a word.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    task: AbortHandle,
    // Last: the engine ends with its last connection.
    engine: Arc<Engine>,
}

impl Connection {
    /// Begins to connect. How that goes, the inbox tells.
    pub fn open(
        engine: Arc<Engine>,
        options: Options,
        session: u64,
        mailbox: Arc<Mailbox>,
        playback: Option<Playback>,
    ) -> Self {
        let worker = Arc::clone(engine.worker());
        let inbox = Arc::new(Inbox::new(session, mailbox, Arc::clone(worker.doorbell())));
        let shared = Shared::new(inbox, worker.doorbell());
        let gate = Arc::new(Gate::default());
        let downlink = Downlink::new(playback, Arc::clone(&gate), Arc::clone(&shared.inbox));
        // Here and not in the task: on a thread of Python's, which may change the environment.
        let proxies = Matcher::from_env();
        let task = serve(Arc::clone(&worker), Arc::clone(&shared), downlink, options, proxies);
        Self { task: worker.spawn(task), shared, gate, engine }
    }

    /// Whether it is this process's, and not that of the one which this was forked from.
    pub fn is_here(&self) -> bool {
        self.engine.is_here()
    }

    /// What came, and how it stands.
    pub fn inbox(&self) -> &Inbox {
        &self.shared.inbox
    }

    /// Sends a text before all that the uplink holds. `false` where too many wait: then it was not taken.
    pub fn send(&self, text: String) -> bool {
        if self.shared.num_texts.fetch_add(1, Ordering::Relaxed) >= MAX_TEXTS {
            self.shared.num_texts.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.shared.texts.push(text);
        self.shared.bell.wake_by_ref();
        true
    }

    /// Sends what the uplink holds, from now on. `None`: not any more.
    pub fn attach(&self, uplink: Option<Arc<Uplink>>) {
        self.shared.orders().uplink = uplink;
        self.shared.bell.wake_by_ref();
    }

    /// Nothing more of that response is written to the playback buffer.
    pub fn silence(&self, response_id: &str) {
        self.gate.silence(response_id);
    }

    /// Closes with a handshake; the inbox tells when it is over.
    pub fn close(&self, close: Close) {
        match self.inbox().standing() {
            // There is nobody yet to say goodbye to.
            Standing::Connecting => self.abort(&close.reason),
            _ => {
                self.shared.orders().close = Some(close);
                self.shared.bell.wake_by_ref();
            }
        }
    }

    /// Cuts it off.
    pub fn abort(&self, reason: &str) {
        self.task.abort();
        self.inbox().stands(Standing::Ended(Ended::abnormal(reason)));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_here() {
            self.task.abort();
        }
    }
}

/// Opens a websocket over bytes of the caller's and serves it to its end, without an engine: for the fuzzer, and for
/// tests in which time stands still.
///
/// # Errors
/// What came was no answer to a websocket's handshake.
pub async fn serve_stream(
    stream: impl Io + 'static,
    options: Options,
    downlink: Downlink,
    inbox: Arc<Inbox>,
) -> Result<Ended, ConnectFault> {
    let socket = open(&options.target, Box::new(stream)).await?;
    let doorbell = Arc::new(Doorbell::default());
    let shared = Shared::new(inbox, &doorbell);
    let ended = Driver::new(socket, shared, downlink, options.heartbeat, options.close_timeout).run().await;
    // Nobody answers this one, and who rang keeps it.
    doorbell.forget();
    Ok(ended)
}

async fn serve(
    worker: Arc<Worker>,
    shared: Arc<Shared>,
    downlink: Downlink,
    options: Options,
    proxies: Matcher,
) {
    let Options { target, connect_timeout, heartbeat, close_timeout } = options;
    let connecting = dial(&target, &proxies, worker.tls());
    let connected = tokio::time::timeout(connect_timeout, connecting).await;
    let socket = match connected.unwrap_or(Err(ConnectFault::TimedOut(connect_timeout))) {
        Ok(socket) => socket,
        Err(fault) => return shared.inbox.stands(Standing::Failed(fault)),
    };
    drop((target, proxies, worker));
    shared.inbox.stands(Standing::Open);
    let ended = Driver::new(socket, Arc::clone(&shared), downlink, heartbeat, close_timeout).run().await;
    shared.inbox.stands(Standing::Ended(ended));
}
