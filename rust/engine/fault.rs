//! Why a connection could not be made, and why it ended.

use std::time::Duration;

/// Why there is no connection. The texts name no credential and no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFault {
    /// Nobody answered in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// No way to the host, or to the proxy before it.
    #[error("{0}")]
    Unreachable(String),
    /// The proxy would not lead there.
    #[error("the proxy {proxy} refused: {why}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// What it said.
        why: String,
    },
    /// The certificate is not to be trusted, or there is no common ground.
    #[error("TLS: {0}")]
    Tls(String),
    /// An HTTP answer that is no websocket: a redirect, too.
    #[error("HTTP {status}")]
    Refused {
        /// The status code.
        status: u16,
        /// The header `Retry-After`, as it came.
        retry_after: Option<String>,
    },
    /// What came was no answer to a websocket's handshake.
    #[error("no websocket: {0}")]
    NotWebsocket(String),
    /// The URL or a header cannot be sent.
    #[error("{0}")]
    InvalidRequest(String),
}

/// The end of an open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The websocket's close code: the server's, or that of the fault that this side found.
    pub code: u16,
    /// Why: the server's words, or ours.
    pub reason: String,
    /// This side closed it, for what the other side sent or because its owner wanted so.
    pub by_us: bool,
}

/// RFC 6455, 7.1.5: closed without a close frame.
pub const NO_CLOSE_FRAME: u16 = 1006;

impl Ended {
    /// An end without a close frame.
    pub fn abnormal(reason: impl Into<String>) -> Self {
        Self { code: NO_CLOSE_FRAME, reason: reason.into(), by_us: false }
    }
}
