//! Serves an open websocket until it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connection::{Close, Shared};
use super::dial::{Socket, text};
use super::downlink::Downlink;
use super::fault::{Ended, NO_CLOSE_FRAME};

/// For our close frame to leave, where the other side broke the protocol or fell silent; for its words to be
/// read, where it hung up.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Answers to pings that wait for the socket: with more of them nothing is read, so that they do not pile up.
const MAX_UNSENT_PONGS: usize = 1024;

/// What tungstenite makes of a close frame with a code that nobody may send, and answers it with.
const FORBIDDEN_CODE: &str = "Protocol violation";

enum Turn {
    Message(Option<Result<Message, Error>>),
    Close(Close),
    Silence,
}

#[derive(Debug)]
pub struct Driver {
    socket: Socket,
    shared: Arc<Shared>,
    downlink: Downlink,
    /// Wakes this task for what callers put, in batches.
    bell: Waker,
    readable: Arc<Readable>,
    /// Something was given to the socket that has not left.
    is_unflushed: bool,
    num_unsent_pongs: usize,
    heartbeat: Duration,
    silence: Pin<Box<Sleep>>,
    was_asked: bool,
    /// Why nothing can be sent any more.
    unsendable: Option<Error>,
    close_timeout: Duration,
}

impl Driver {
    pub fn new(
        socket: Socket,
        shared: Arc<Shared>,
        downlink: Downlink,
        heartbeat: Duration,
        close_timeout: Duration,
    ) -> Self {
        let bell = Waker::from(Arc::clone(shared.bell()));
        Self {
            socket,
            shared,
            downlink,
            bell,
            readable: Arc::default(),
            is_unflushed: false,
            num_unsent_pongs: 0,
            heartbeat,
            silence: Box::pin(sleep(heartbeat)),
            was_asked: false,
            unsendable: None,
            close_timeout,
        }
    }

    /// Reads and writes until the connection is over, and says why it is.
    pub async fn run(mut self) -> Ended {
        loop {
            match std::future::poll_fn(|cx| self.poll_turn(cx)).await {
                Turn::Close(close) => return self.close(close).await,
                Turn::Silence if self.was_asked => {
                    return Ended::abnormal("no answer to a ping");
                }
                Turn::Silence => {
                    self.was_asked = true;
                    self.silence.as_mut().reset(Instant::now() + self.heartbeat / 2);
                    if let Err(error) = self.start_send(Message::Ping(Bytes::new())) {
                        return self.broken(error).await;
                    }
                }
                Turn::Message(message) => {
                    self.is_heard();
                    match message {
                        Some(Ok(Message::Text(text))) => self.downlink.receive(text.into()),
                        Some(Ok(Message::Binary(text))) => self.downlink.receive(text),
                        Some(Ok(Message::Close(frame))) => return self.closed(frame).await,
                        Some(Ok(Message::Ping(_))) => {
                            // The socket's own buffer has the answer.
                            self.is_unflushed = true;
                            self.num_unsent_pongs += 1;
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return self.broken(error).await,
                        None => return Ended::abnormal(""),
                    }
                }
            }
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        // Before looking at what callers may add to.
        self.shared.bell().register(cx.waker());
        if let Some(close) = self.shared.take_close() {
            return Poll::Ready(Turn::Close(close));
        }
        if self.unsendable.is_none()
            && let Err(error) = self.poll_send(cx)
        {
            // What the other side said before it hung up is still to be read.
            self.unsendable = Some(error);
            self.silence.as_mut().reset(Instant::now() + LAST_WORDS);
        }
        if self.shared.inbox().is_full(&self.bell) {
            // Nothing is read: silence says nothing about the other side.
            self.is_heard();
            return Poll::Pending;
        }
        if self.num_unsent_pongs < MAX_UNSENT_PONGS
            && let Poll::Ready(message) = self.poll_receive(cx)
        {
            return Poll::Ready(Turn::Message(message));
        }
        self.silence.as_mut().poll(cx).map(|()| match self.unsendable.take() {
            Some(error) => Turn::Message(Some(Err(error))),
            None => Turn::Silence,
        })
    }

    /// Gives the socket all that waits, as far as it takes it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let uplink = self.shared.uplink();
        if let Some(uplink) = &uplink {
            // Before looking at it.
            uplink.register(&self.bell);
        }
        loop {
            // Where it is not, it has tried to flush.
            let Poll::Ready(()) = Pin::new(&mut self.socket).poll_ready(cx)? else { return Ok(()) };
            let next = self.shared.take_text().or_else(|| uplink.as_ref()?.take());
            let Some(next) = next else { break };
            self.start_send(text(next))?;
        }
        if self.is_unflushed
            && let Poll::Ready(()) = Pin::new(&mut self.socket).poll_flush(cx)?
        {
            self.is_unflushed = false;
            self.num_unsent_pongs = 0;
            if let Some(uplink) = &uplink {
                uplink.settle();
            }
        }
        Ok(())
    }

    /// What the socket brings, if it can have brought something: tungstenite, asked, clears its read buffer.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        self.readable.task.register(cx.waker());
        // ORDERING: AcqRel with `wake_by_ref`: what comes after this sets it anew.
        if !self.readable.is_set.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.readable));
        let message = Pin::new(&mut self.socket).poll_next(&mut Context::from_waker(&waker));
        // There may be another one.
        self.readable.is_set.fetch_or(message.is_ready(), Ordering::AcqRel);
        message
    }

    fn is_heard(&mut self) {
        self.was_asked = false;
        let patience = if self.unsendable.is_some() { LAST_WORDS } else { self.heartbeat };
        self.silence.as_mut().reset(Instant::now() + patience);
    }

    fn start_send(&mut self, message: Message) -> Result<(), Error> {
        self.is_unflushed = true;
        Pin::new(&mut self.socket).start_send(message)
    }

    /// This side closes: what waits in the uplink is not sent any more.
    async fn close(&mut self, Close { code, reason }: Close) -> Ended {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.clone().into() };
        let handshake = async {
            self.socket.send(Message::Close(Some(frame))).await?;
            while let Some(message) = self.socket.next().await {
                if let Message::Close(_) = message? {
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        // Whatever becomes of it, this is the end.
        let _ = timeout(self.close_timeout, handshake).await;
        Ended { code, reason, by_us: true }
    }

    /// The other side closed. Its words are ours to tell; ours to it is the answer that the RFC asks for.
    async fn closed(&mut self, frame: Option<CloseFrame>) -> Ended {
        let _ = timeout(LAST_WORDS, self.socket.flush()).await;
        match frame {
            Some(frame) => {
                let by_us = frame.code == CloseCode::Protocol && frame.reason.as_str() == FORBIDDEN_CODE;
                Ended { code: frame.code.into(), reason: frame.reason.to_string(), by_us }
            }
            None => Ended::abnormal(""),
        }
    }

    /// The other side broke the protocol, or the connection broke.
    async fn broken(&mut self, error: Error) -> Ended {
        let code = blame(&error);
        let reason = match &error {
            Error::Io(error) => error.to_string(),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => String::new(),
            other => other.to_string(),
        };
        let by_us = code != NO_CLOSE_FRAME;
        if by_us {
            let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
            let _ = timeout(LAST_WORDS, self.socket.send(Message::Close(Some(frame)))).await;
        }
        Ended { code, reason, by_us }
    }
}

/// Whether the socket can have brought something. The task is mostly woken for what is to be sent.
#[derive(Debug)]
struct Readable {
    is_set: AtomicBool,
    task: AtomicWaker,
}

impl Default for Readable {
    fn default() -> Self {
        Self { is_set: AtomicBool::new(true), task: AtomicWaker::new() }
    }
}

impl Wake for Readable {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_set.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Whoever could still wake this task would keep the runtime with it.
        self.shared.bell().forget();
        // Not where it was detached: by now the next connection may be its sender.
        if let Some(uplink) = self.shared.uplink() {
            uplink.forget_sender();
        }
    }
}

/// The close code that tells the other side what it did (RFC 6455, 7.4.1).
fn blame(error: &Error) -> u16 {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => 1009,
        Error::Utf8(_) => 1007,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => NO_CLOSE_FRAME,
        Error::Protocol(_) => 1002,
        _ => NO_CLOSE_FRAME,
    }
}
