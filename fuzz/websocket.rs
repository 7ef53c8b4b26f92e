//! What the fuzzer checks of the websocket: whatever bytes a server sends, the connection ends, invents nothing,
//! and says nothing itself but whole, masked frames, the last of them a close.
#![allow(dead_code, reason = "each target takes its part")]

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tungstenite::handshake::derive_accept_key;
use voicelane::engine::{
    ConnectFault, Doorbell, Downlink, Ended, Gate, Inbox, Incoming, Mailbox, Options, Target, serve_stream,
};

const PIPE_BYTES: usize = 1 << 16;
const CLOSE: u8 = 8;

/// Bytes after a proper upgrade.
pub fn frames(data: &[u8]) {
    let (ended, heard, num_bytes) = converse(data, true);
    let ended = ended.expect("a proper upgrade");
    assert!(ended.code >= 1000, "{ended:?}");
    assert!(num_bytes <= data.len(), "{num_bytes} bytes of text out of {}", data.len());
    let opcodes = opcodes(&heard);
    let closes = opcodes.iter().filter(|&&opcode| opcode == CLOSE).count();
    assert!(closes <= 1 && (closes == 0 || opcodes.last() == Some(&CLOSE)), "{opcodes:?}");
}

/// Bytes in the place of the answer to the handshake.
pub fn handshake(data: &[u8]) {
    let (ended, heard, num_bytes) = converse(data, false);
    // The key is another one each time: nobody can have the right answer.
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!((heard.len(), num_bytes), (0, 0));
}

/// How it ended, what the server heard after the request, and how many bytes of text came out.
fn converse(data: &[u8], upgrades: bool) -> (Result<Ended, ConnectFault>, Vec<u8>, usize) {
    // Time stands still but where everybody waits: no run takes longer than its bytes do.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (client, server) = duplex(PIPE_BYTES);
        let inbox = inbox();
        let downlink = Downlink::new(None, Arc::new(Gate::default()), Arc::clone(&inbox));
        let mut num_bytes = 0;
        let client = async {
            let serving = serve_stream(client, options(), downlink, Arc::clone(&inbox));
            tokio::pin!(serving);
            let ended = loop {
                tokio::select! {
                    ended = &mut serving => break ended,
                    () = tokio::time::sleep(Duration::from_millis(1)) => num_bytes += taken(&inbox),
                }
            };
            num_bytes += taken(&inbox);
            ended
        };
        let (ended, heard) = tokio::join!(client, serve(server, data, upgrades));
        (ended, heard, num_bytes)
    })
}

async fn serve(mut stream: DuplexStream, data: &[u8], upgrades: bool) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.expect("in memory"), 0, "a whole request");
    }
    // Who has gone meanwhile hears no more: that is no fault of the client's.
    if upgrades {
        let _ = stream.write_all(answer(&head).as_bytes()).await;
    }
    let _ = stream.write_all(data).await;
    let _ = stream.shutdown().await;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.expect("in memory");
    heard
}

fn answer(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let keys = head.lines().filter_map(|line| line.split_once(": "));
    let mut keys = keys.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let accept = derive_accept_key(keys.next().expect("a key").1.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn inbox() -> Arc<Inbox> {
    let mailbox = Arc::new(Mailbox::new().expect("two descriptors"));
    Arc::new(Inbox::new(1, mailbox, Arc::new(Doorbell::default())))
}

fn options() -> Options {
    let url = "ws://127.0.0.1/".parse().expect("a URL");
    let target = Target { url, headers: http::HeaderMap::new(), ca_file: None };
    let time = Duration::from_secs(20);
    Options { target, connect_timeout: time, heartbeat: time, close_timeout: time }
}

fn taken(inbox: &Inbox) -> usize {
    let num_bytes = |incoming: &Incoming| match incoming {
        Incoming::Text(text) => text.len(),
        _ => 0,
    };
    inbox.take().iter().map(num_bytes).sum()
}

/// The opcodes of the client's frames, which must be whole and masked.
fn opcodes(mut heard: &[u8]) -> Vec<u8> {
    let mut opcodes = Vec::new();
    while let Some(&[first, second]) = heard.first_chunk() {
        assert_eq!((first & 0xF0, second & 0x80), (0x80, 0x80), "a whole message, masked");
        // What answers is a control frame: at most 125 bytes.
        let len = usize::from(second & 0x7F);
        assert!(len <= 125 && heard.len() >= 6 + len);
        opcodes.push(first & 0x0F);
        heard = &heard[6 + len..];
    }
    assert!(heard.is_empty());
    opcodes
}
