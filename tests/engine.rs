//! The engine's parts and the whole, against a websocket server of the test's own.
#![cfg(all(unix, not(loom)))]

mod engine_support;

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use engine_support::{Client, Server, TIMEOUT, options, until};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::time::sleep;
use tokio_tungstenite::accept_async;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use voicelane::engine::{
    Close, ConnectFault, Doorbell, Downlink, Ended, Gate, Inbox, Incoming, Mailbox, Playback, Standing,
    serve_stream,
};
use voicelane::playback::{AudioDelta, PlaybackBuffer, PlaybackConfig, PlaybackControl, PlaybackReader};

// --- inbox ---------------------------------------------------------------------------------------

fn inbox() -> (Inbox, Arc<Mailbox>) {
    let mailbox = Arc::new(Mailbox::new().expect("two descriptors"));
    (Inbox::new(7, Arc::clone(&mailbox), Arc::new(Doorbell::default())), mailbox)
}

fn delta(response_id: &str, num_frames: usize) -> AudioDelta {
    AudioDelta {
        response_id: Some(response_id.to_owned()),
        item_id: Some("item".to_owned()),
        output_index: 0,
        content_index: 0,
        num_frames,
        start_frame: 0,
        written_frames: num_frames / 2,
        trimmed_bytes: 1,
    }
}

fn event(text: &str) -> Incoming {
    Incoming::Text(text.to_owned().into())
}

#[test]
fn audio_in_a_row_is_summed_and_the_order_kept() {
    let (inbox, _mailbox) = inbox();
    inbox.put(event("1"));
    for (start_frame, is_first) in [(7, true), (12, false), (17, false)] {
        inbox.put_audio(AudioDelta { start_frame, ..delta("a", 10) }, is_first);
    }
    inbox.put_audio(delta("b", 10), true);
    inbox.put(event("2"));
    inbox.put_audio(delta("b", 10), false);
    let mut sum = delta("a", 30);
    sum.trimmed_bytes = 3;
    sum.start_frame = 7;
    let expected = vec![
        event("1"),
        Incoming::Audio(sum),
        Incoming::Audio(delta("b", 10)),
        event("2"),
        Incoming::Audio(delta("b", 10)),
    ];
    assert_eq!(Vec::from(inbox.take()), expected);
    assert!(inbox.take().is_empty());
}

#[test]
fn the_loop_is_woken_once_until_it_takes() {
    let (inbox, mailbox) = inbox();
    inbox.put(event("1"));
    inbox.put(event("2"));
    inbox.put_audio(delta("a", 1), true);
    assert_eq!(mailbox.collect(), [7]);
    inbox.put(event("3"));
    assert_eq!(mailbox.collect(), [0; 0], "what it was woken for is not taken yet");
    assert_eq!(inbox.take().len(), 4);
    // Audio but the first of an utterance waits for something else.
    inbox.put_audio(delta("a", 1), false);
    assert_eq!(mailbox.collect(), [0; 0]);
    inbox.put(event("4"));
    assert_eq!(mailbox.collect(), [7]);
    inbox.stands(Standing::Open);
    assert_eq!(mailbox.collect(), [7], "how it stands is always told");
}

/// Ids are the service's to choose: they count as texts do.
#[test]
fn audio_with_long_ids_fills_the_inbox() {
    let (inbox, _mailbox) = inbox();
    for item in ["a", "b"] {
        let item_id = Some(item.repeat(9 << 20));
        inbox.put_audio(AudioDelta { item_id, ..delta("a", 1) }, false);
    }
    assert!(inbox.is_full(Waker::noop()));
    inbox.take();
    assert!(!inbox.is_full(Waker::noop()));
}

#[test]
fn what_ended_stays_ended() {
    let (inbox, _mailbox) = inbox();
    let ended = Standing::Ended(Ended { code: 1001, reason: "bye".to_owned(), by_us: false });
    inbox.stands(ended.clone());
    inbox.stands(Standing::Open);
    inbox.stands(Standing::Ended(Ended::abnormal("")));
    assert_eq!(inbox.standing(), ended);
}

// --- downlink ------------------------------------------------------------------------------------

struct Listener {
    downlink: Downlink,
    gate: Arc<Gate>,
    inbox: Arc<Inbox>,
    reader: PlaybackReader,
    control: PlaybackControl,
}

impl Listener {
    fn new() -> Self {
        let (writer, reader, control) =
            PlaybackBuffer::with_config(PlaybackConfig::default()).expect("valid");
        let playback =
            Playback { writer: Arc::new(Mutex::new(writer)), control: control.clone(), interrupt_fade_ms: 0 };
        let (gate, inbox) = (Arc::new(Gate::default()), Arc::new(inbox().0));
        let downlink = Downlink::new(Some(playback), Arc::clone(&gate), Arc::clone(&inbox));
        Self { downlink, gate, inbox, reader, control }
    }

    fn hears(&self, text: &str) {
        self.downlink.receive(text.to_owned().into());
    }

    fn created(&self, id: &str) {
        self.hears(&format!(r#"{{"type":"response.created","response":{{"id":"{id}"}}}}"#));
    }

    /// Two frames of audio of that response.
    fn audio(&self, id: &str) {
        self.hears(&format!(r#"{{"type":"response.audio.delta","response_id":"{id}","delta":"AQACAA=="}}"#));
    }

    /// How many frames are to be heard, and what the loop is told beside texts.
    fn told(&mut self) -> (usize, Vec<Incoming>) {
        let frames = self.reader.read_into(&mut [0; 1000]);
        let told = self.inbox.take().into_iter().filter(|one| !matches!(one, Incoming::Text(_)));
        (frames, told.collect())
    }

    fn num_frames(&mut self) -> usize {
        self.told().0
    }
}

#[test]
fn only_the_created_response_is_heard() {
    let mut listener = Listener::new();
    listener.audio("a");
    assert_eq!(listener.told(), (0, vec![]), "nobody announced it");
    listener.created("a");
    listener.audio("a");
    listener.audio("b");
    assert_eq!(listener.num_frames(), 2);
    listener.created("b");
    listener.audio("a");
    assert_eq!(listener.num_frames(), 0, "superseded");
    listener.audio("b");
    assert_eq!(listener.num_frames(), 2);
}

#[test]
fn speech_interrupts_at_its_place_in_the_stream() {
    let mut listener = Listener::new();
    listener.created("a");
    listener.audio("a");
    listener.hears(r#"{"type":"input_audio_buffer.speech_started"}"#);
    listener.audio("a");
    let (frames, told) = listener.told();
    assert_eq!(frames, 0, "what waited is cut off, what follows is stale");
    assert!(matches!(told[..], [Incoming::Audio(_), Incoming::Interrupted { .. }]), "{told:?}");
    listener.created("b");
    listener.audio("b");
    assert_eq!(listener.num_frames(), 2);
}

#[test]
fn a_silenced_response_is_heard_no_more_and_another_is() {
    let mut listener = Listener::new();
    listener.created("a");
    listener.gate.silence("another");
    listener.audio("a");
    assert_eq!(listener.num_frames(), 2);
    listener.gate.silence("a");
    listener.audio("a");
    assert_eq!(listener.num_frames(), 0);
    listener.created("b");
    listener.audio("b");
    assert_eq!(listener.num_frames(), 2);
}

#[test]
fn a_response_that_is_told_twice_begins_once() {
    let mut listener = Listener::new();
    listener.created("a");
    listener.audio("a");
    listener.created("a");
    assert_eq!(listener.num_frames(), 2);
    listener.hears(r#"{"type":"response.audio.done","response_id":"a"}"#);
    assert!(listener.control.is_finished(), "it was speaking");
    listener.gate.silence("a");
    listener.created("a");
    listener.audio("a");
    assert_eq!(listener.num_frames(), 0, "it stays cut off");
}

#[test]
fn an_utterance_is_complete_where_the_service_says_so() {
    for done in [
        r#"{"type":"response.audio.done","response_id":"a"}"#,
        r#"{"type":"response.done","response":{"id":"a"}}"#,
    ] {
        let mut listener = Listener::new();
        listener.created("a");
        listener.audio("a");
        listener.hears(&done.replace("\"a\"", "\"b\""));
        assert_eq!(listener.num_frames(), 2);
        assert!(!listener.control.is_finished(), "another one's end");
        listener.hears(done);
        assert!(listener.control.is_finished());
    }
}

#[test]
fn audio_without_a_response_is_nobodys() {
    let mut listener = Listener::new();
    for created in [None, Some("a")] {
        if let Some(id) = created {
            listener.created(id);
        }
        listener.hears(r#"{"type":"response.audio.delta","delta":"AQACAA=="}"#);
        listener.hears(r#"{"type":"response.audio.delta","response_id":"","delta":"AQACAA=="}"#);
        assert_eq!(listener.told(), (0, vec![]));
    }
    listener.hears(r#"{"type":"response.created","response":{}}"#);
    listener.hears(r#"{"type":"response.audio.delta","delta":"AQACAA=="}"#);
    assert_eq!(listener.told(), (0, vec![]));
}

#[test]
fn half_a_sample_is_trimmed_and_bad_audio_reported() {
    let mut listener = Listener::new();
    listener.created("a");
    listener.hears(r#"{"type":"response.audio.delta","response_id":"a","delta":"AQAC"}"#);
    let (frames, told) = listener.told();
    assert_eq!(frames, 1);
    assert!(matches!(&told[..], [Incoming::Audio(delta)] if delta.trimmed_bytes == 1), "{told:?}");
    listener.hears(r#"{"type":"response.audio.delta","response_id":"a","delta":"?"}"#);
    listener.hears("no JSON");
    let (frames, told) = listener.told();
    assert_eq!(frames, 0);
    assert!(matches!(told[..], [Incoming::Unreadable(_), Incoming::Unreadable(_)]), "{told:?}");
}

// --- connections ---------------------------------------------------------------------------------

#[test]
fn texts_of_all_ways_arrive_in_order() {
    let server = Server::start(|mut socket, seen| {
        while let Ok(Message::Text(text)) = socket.read() {
            seen.send(text.to_string()).expect("the test listens");
        }
    });
    let client = Client::connect(&server);
    // What is sent beside the uplink goes first: settings and history.
    client.uplink.put_event("3".to_owned(), None);
    client.uplink.put_audio("4".to_owned(), 1000);
    for text in ["1", "2"] {
        assert!(client.connection.send(text.to_owned()));
    }
    client.attach();
    client.uplink.put_event("5".to_owned(), None);
    let seen: Vec<_> = (0..5).map(|_| server.next()).collect();
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
    until(|| client.uplink.is_empty());
}

/// Sleeping and waking, by turns: a wake-up that is lost stops the test.
#[test]
fn no_wake_up_is_lost() {
    let server = Server::start(|mut socket, seen| {
        while let Ok(Message::Text(text)) = socket.read() {
            seen.send(text.to_string()).expect("the test listens");
        }
    });
    let client = Client::connect(&server);
    client.attach();
    for round in 0..300_u64 {
        // Around the doorbell's interval of 4 ms, from still awake to asleep.
        std::thread::sleep(Duration::from_micros(round % 30 * 200));
        match round % 2 {
            0 => assert!(client.uplink.put_event(round.to_string(), None)),
            _ => assert!(client.connection.send(round.to_string())),
        }
        assert_eq!(server.next(), round.to_string());
    }
}

/// Who hangs up with something unread breaks the connection: what it said before, and why it went, is told.
#[test]
#[cfg(target_os = "linux")]
fn what_was_said_before_a_reset_is_read() {
    const NUM_EVENTS: usize = 1_100; // more than the inbox takes
    let server = Server::start(|mut socket, seen| {
        for _ in 0..NUM_EVENTS {
            socket.send(Message::text("{}")).expect("taken");
        }
        let frame = CloseFrame { code: 1008.into(), reason: "because".into() };
        socket.close(Some(frame)).expect("taken");
        socket.get_ref().peek(&mut [0]).expect("it comes");
        drop(socket);
        seen.send("gone".to_owned()).expect("the test listens");
    });
    let client = Client::connect(&server);
    let inbox = client.connection.inbox();
    assert!(client.connection.send("unread".to_owned()));
    until(|| inbox.num_events() >= 1024);
    assert_eq!(server.next(), "gone");
    assert!(client.connection.send("in vain".to_owned()));
    let mut num_events = 0;
    until(|| {
        num_events += inbox.take().len();
        matches!(inbox.standing(), Standing::Ended(_))
    });
    num_events += inbox.take().len();
    let ended = Ended { code: 1008, reason: "because".to_owned(), by_us: false };
    assert_eq!(inbox.standing(), Standing::Ended(ended));
    assert_eq!(num_events, NUM_EVENTS);
}

#[test]
fn a_full_inbox_makes_the_socket_wait_and_then_go_on() {
    const NUM_EVENTS: usize = 5_000;
    let server = Server::start(|mut socket, _| {
        for number in 0..NUM_EVENTS {
            let text = format!(r#"{{"n":{number},"x":"{}"}}"#, "x".repeat(1000));
            if socket.send(Message::text(text)).is_err() {
                return;
            }
        }
        let _ = socket.read();
    });
    let client = Client::connect(&server);
    let inbox = client.connection.inbox();
    until(|| inbox.num_events() >= 1024);
    let mut events = Vec::from(inbox.take());
    assert_eq!(events.len(), 1024);
    until(|| {
        events.extend(inbox.take());
        events.len() == NUM_EVENTS
    });
    for (number, event) in events.iter().enumerate() {
        let Incoming::Text(text) = event else { panic!("{event:?}") };
        assert!(text.starts_with(format!(r#"{{"n":{number},"#).as_bytes()));
    }
}

#[test]
fn a_close_is_said_and_ends_it() {
    let server = Server::start(|mut socket, seen| {
        while let Ok(message) = socket.read() {
            if let Message::Close(Some(frame)) = message {
                seen.send(frame.to_string()).expect("the test listens");
            }
        }
    });
    let client = Client::connect(&server);
    client.connection.close(Close { code: 4000, reason: "enough".to_owned() });
    until(|| matches!(client.connection.inbox().standing(), Standing::Ended(_)));
    let ended = Ended { code: 4000, reason: "enough".to_owned(), by_us: true };
    assert_eq!(client.connection.inbox().standing(), Standing::Ended(ended));
    assert_eq!(server.next(), "enough (4000)");
}

// --- connections in paused time, which goes on where everybody waits --------------------------------

/// A connection over a pipe, and the peer's end of that.
fn connection(inbox: Arc<Inbox>) -> (impl Future<Output = Result<Ended, ConnectFault>>, DuplexStream) {
    let (ours, theirs) = duplex(1 << 16);
    let downlink = Downlink::new(None, Arc::default(), Arc::clone(&inbox));
    (serve_stream(ours, options("localhost"), downlink, inbox), theirs)
}

fn in_paused_time<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

/// Who does not look at its inbox does not see a pong: that says nothing about the other side.
#[test]
fn a_loop_that_is_late_is_not_taken_for_a_dead_connection() {
    const NUM_EVENTS: usize = 2_000;
    let inbox = Arc::new(inbox().0);
    let (serving, pipe) = connection(Arc::clone(&inbox));
    let peer = async {
        let mut socket = accept_async(pipe).await.expect("a handshake");
        for _ in 0..NUM_EVENTS {
            socket.send(Message::text("{}")).await.expect("taken");
        }
        while let Some(Ok(_)) = socket.next().await {}
    };
    let late_loop = async {
        sleep(10 * TIMEOUT).await;
        assert_eq!(inbox.take().len(), 1024);
        sleep(10 * TIMEOUT).await;
        assert_eq!(inbox.take().len(), NUM_EVENTS - 1024);
        sleep(10 * TIMEOUT).await;
    };
    in_paused_time(async {
        tokio::select! {
            biased; // the connection first: the late loop then finds what there was room for
            ended = serving => panic!("{ended:?}"),
            () = peer => panic!("the peer was left"),
            () = late_loop => {}
        }
    });
}

/// A peer that pings without end and reads no answer: what waits for it is bounded, and it is given up.
#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    const TOO_MANY_BYTES: usize = 1 << 19;
    let (serving, pipe) = connection(Arc::new(inbox().0));
    let peer = async {
        let mut socket = accept_async(pipe).await.expect("a handshake");
        let ping = [&[0x89, 125][..], &[0; 125]].concat();
        let mut num_bytes = 0;
        while num_bytes < TOO_MANY_BYTES && socket.get_mut().write_all(&ping).await.is_ok() {
            num_bytes += ping.len();
        }
        num_bytes
    };
    let (ended, num_bytes) = in_paused_time(async { tokio::join!(serving, peer) });
    assert!(num_bytes < TOO_MANY_BYTES, "more than both ends of the pipe and 1024 answers");
    assert_eq!(ended, Ok(Ended::abnormal("no answer to a ping")));
}
