//! From a URL to an open websocket: proxy, TCP, TLS, upgrade.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Request, Uri, header};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tower_service::Service;

use super::fault::ConnectFault;
use super::tls::TlsConfigs;

/// As much as a reply's longest event by far, as on every transport.
pub const MAX_MESSAGE_BYTES: usize = 10 << 20;

/// One audio delta of 100 ms fits. It is what an idle session keeps.
const READ_BUFFER_BYTES: usize = 8 << 10;
/// So many texts leave in one system call.
const WRITE_BUFFER_BYTES: usize = 16 << 10;

/// Bytes in and out, over TCP or TLS.
pub trait Io: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin> Io for T {}

/// An open websocket.
pub type Socket = WebSocketStream<Box<dyn Io>>;

/// Where to connect, and what to say there.
#[derive(Clone)]
pub struct Target {
    /// `ws` or `wss`, with the query.
    pub url: Uri,
    /// Beside those of the handshake.
    pub headers: HeaderMap,
    /// Certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The query and the headers carry secrets.
        f.debug_struct("Target")
            .field("authority", &self.url.authority().map(|a| a.host()))
            .finish_non_exhaustive()
    }
}

/// Opens a websocket. Redirects are refused, as every other answer than the switch of protocols.
///
/// # Errors
/// `ConnectFault` says what.
pub async fn dial(target: &Target, proxies: &Matcher, configs: &TlsConfigs) -> Result<Socket, ConnectFault> {
    let request = request(target)?;
    let url = &target.url;
    let is_secure = match url.scheme_str() {
        Some("wss") => true,
        Some("ws") => false,
        other => {
            let scheme = other.unwrap_or("no scheme");
            return Err(ConnectFault::InvalidRequest(format!("expected a URL of ws or wss, got {scheme}")));
        }
    };
    let tls = || configs.get(target.ca_file.clone());
    // Before anybody is asked: a bad `ca_file` is the caller's fault, whoever is there.
    let own_tls = if is_secure { Some(tls().await?) } else { None };
    let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let host = url.host().unwrap_or_default();
    let destination = format!("{}://{host}:{port}", if is_secure { "https" } else { "http" });
    let destination: Uri = destination.parse().map_err(invalid)?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let stream = match proxies.intercept(&destination).filter(|_| !is_loopback(host)) {
        Some(proxy) => through(&proxy, destination, tcp, tls).await?,
        None => Box::new(tcp.call(destination).await.map_err(|error| unreachable(&error))?.into_inner()),
    };
    let stream = match own_tls {
        Some(tls) => secure(host, stream, tls).await?,
        None => stream,
    };
    upgrade(request, stream).await
}

/// Opens a websocket over a stream that leads there already.
///
/// # Errors
/// `ConnectFault` says what.
pub async fn open(target: &Target, stream: Box<dyn Io>) -> Result<Socket, ConnectFault> {
    upgrade(request(target)?, stream).await
}

fn request(target: &Target) -> Result<Request<()>, ConnectFault> {
    let mut request = (&target.url)
        .into_client_request()
        .map_err(|error| ConnectFault::InvalidRequest(format!("expected a URL with a host, got {error}")))?;
    for (name, value) in &target.headers {
        request.headers_mut().insert(name, value.clone());
    }
    Ok(request)
}

/// No proxy leads to this machine itself, whatever the environment says: as Go's net/http has it.
fn is_loopback(host: &str) -> bool {
    let address = without_brackets(host).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

async fn through(
    proxy: &Intercept,
    destination: Uri,
    tcp: HttpConnector,
    tls: impl AsyncFnOnce() -> Result<Arc<ClientConfig>, ConnectFault>,
) -> Result<Box<dyn Io>, ConnectFault> {
    let name = proxy.uri().authority().map_or_else(String::new, |authority| authority.to_string());
    if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
        let why =
            format!("expected a proxy of http or https, got {}", proxy.uri().scheme_str().unwrap_or("none"));
        return Err(ConnectFault::Proxy { proxy: name, why });
    }
    let to_proxy =
        HttpsConnectorBuilder::new().with_tls_config((*tls().await?).clone()).https_or_http().enable_http1();
    let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy.wrap_connector(tcp));
    if let Some(credentials) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(credentials.clone());
    }
    let stream = tunnel
        .call(destination)
        .await
        .map_err(|error| ConnectFault::Proxy { proxy: name, why: innermost(&error) })?;
    Ok(Box::new(TokioIo::new(stream)))
}

async fn secure(
    host: &str,
    stream: Box<dyn Io>,
    tls: Arc<ClientConfig>,
) -> Result<Box<dyn Io>, ConnectFault> {
    let name = ServerName::try_from(without_brackets(host).to_owned())
        .map_err(|error| ConnectFault::Tls(error.to_string()))?;
    let connector = tokio_rustls::TlsConnector::from(tls);
    let stream =
        connector.connect(name, stream).await.map_err(|error| ConnectFault::Tls(error.to_string()))?;
    Ok(Box::new(stream))
}

async fn upgrade(request: Request<()>, stream: Box<dyn Io>) -> Result<Socket, ConnectFault> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let (socket, response) = tokio_tungstenite::client_async_with_config(request, stream, Some(config))
        .await
        .map_err(handshake_fault)?;
    // RFC 6455, 4.1: an extension that was not asked for. None is.
    if let Some(extension) = response.headers().get(header::SEC_WEBSOCKET_EXTENSIONS) {
        let extension = String::from_utf8_lossy(extension.as_bytes()).into_owned();
        return Err(ConnectFault::NotWebsocket(format!("the extension {extension:?} was not asked for")));
    }
    Ok(socket)
}

fn handshake_fault(error: tungstenite::Error) -> ConnectFault {
    match error {
        tungstenite::Error::Http(response) => {
            let retry_after = response.headers().get(header::RETRY_AFTER);
            ConnectFault::Refused {
                status: response.status().as_u16(),
                retry_after: retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned),
            }
        }
        tungstenite::Error::Io(error) => ConnectFault::Unreachable(innermost(&error)),
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            ConnectFault::NotWebsocket("the connection was closed".to_owned())
        }
        other => ConnectFault::NotWebsocket(other.to_string()),
    }
}

fn unreachable(error: &(dyn StdError + 'static)) -> ConnectFault {
    ConnectFault::Unreachable(innermost(error))
}

/// What the operating system said, below the layers that repeat it.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn invalid(error: impl std::fmt::Display) -> ConnectFault {
    ConnectFault::InvalidRequest(error.to_string())
}

/// A text message.
pub fn text(text: String) -> Message {
    Message::Text(text.into())
}
