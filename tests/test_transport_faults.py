"""A connection that is refused, silent, slow or cut off ends in its error, and no other session notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest

from ports import reserved_port
from raw_server import CLOSE, PING, PONG, READY, TEXT, Peer, close_frame, frame, raw_server
from support import OLD_CLIENT, SECRET, TIMEOUT_S, EventLog, refusal, secretive
from voicelane import AzureVoiceLive, ReconnectPolicy, errors
from voicelane.transport import native, sdk

pytestmark = pytest.mark.usefixtures("bystander")

# Above all that a loopback connection takes, below all that a test waits for.
SHORT_S = TIMEOUT_S / 50
EVENT = b'{"type":"input_audio_buffer.speech_started"}'


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def logged(host: str, **arguments: Any) -> AsyncIterator[tuple[AzureVoiceLive, EventLog]]:
    """A session and all that it tells, from the beginning."""
    model = secretive(host, **arguments)
    log = EventLog(model)
    async with model:
        yield model, log


# --- the handshake -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_retryable"),
    [
        ("200 OK", False),
        ("204 No Content", False),
        ("301 Moved Permanently", False),
        ("400 Bad Request", False),
        ("404 Not Found", False),
        ("408 Request Timeout", True),
        ("426 Upgrade Required", False),
        ("429 Too Many Requests", True),
        ("500 Internal Server Error", True),
        ("503 Service Unavailable", True),
    ],
)
async def test_an_http_answer_is_an_error_with_its_status(status: str, is_retryable: bool) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(status, body=b"" if status.startswith("204") else b"never mind"))
        await peer.gone()

    async with raw_server(refuse) as host:
        error = await refusal(secretive(host))
        code = int(status[:3])
        assert type(error) is errors.ConnectError
        assert (error.status, error.retryable) == (code, is_retryable)
        assert str(error) == f"{host} refused the connection (HTTP {code})"


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_refused_credentials_are_an_error_of_their_own(status: str) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(status, f"WWW-Authenticate: Bearer {SECRET}"))

    async with raw_server(refuse) as host:
        error = await refusal(secretive(host))
        assert isinstance(error, errors.AuthenticationError)
        assert (error.status, error.retryable) == (int(status[:3]), False)


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_redirect_is_never_followed(transport: str, scheme: str, status: str) -> None:
    if transport == "sdk" and OLD_CLIENT:
        pytest.skip("azure-ai-voicelive before 1.3 follows it: docs/transports.md")
    visits: list[str] = []

    async def elsewhere(peer: Peer) -> None:
        visits.append(await peer.request())

    async def redirect(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(f"{status} Elsewhere", f"Location: {scheme}://{other}/{SECRET}"))

    async with raw_server(elsewhere) as other, raw_server(redirect) as host:
        error = await refusal(secretive(host))
        assert not error.retryable
        assert other not in str(error)
        # Whoever followed would be there by now: it is asked over a way as long as theirs.
        reader, writer = await asyncio.open_connection(*other.split(":"))
        writer.write(b"me\r\n\r\n")
        await reader.read()
        writer.close()
        assert visits == ["me\r\n\r\n"]


GARBAGE = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a TLS alert": bytes([21, 3, 1, 0, 2, 2, 40]),
    "HTTP 0.9": b"<html>hello</html>",
    "a broken status line": b"HTTP/1.1 abc\r\n\r\n",
    "a broken header": b"HTTP/1.1 101 OK\r\nno colon at all\r\n\r\n",
    "nothing": b"",
    "half an answer": b"HTTP/1.1 101 Switching Protocols\r\nUpgr",
    "no upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a wrong accept key": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: bm90IHRoaXMgb25lLCBub3Q=\r\n\r\n"
    ),
}


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE)
async def test_who_speaks_no_websocket_is_an_error(said: bytes) -> None:
    async def babble(peer: Peer) -> None:
        await peer.request()
        await peer.send(said)

    async with raw_server(babble) as host:
        error = await refusal(secretive(host))
        assert type(error) is errors.ConnectError
        assert (error.status, error.retryable) == (None, True)
        assert str(error).startswith(f"cannot connect to {host}: ")


async def test_a_connection_reset_in_the_handshake_is_an_error() -> None:
    async def reset(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with raw_server(reset) as host:
        error = await refusal(secretive(host))
        assert type(error) is errors.ConnectError
        assert host in str(error)
        assert error.retryable


async def test_nobody_there_is_an_error() -> None:
    with reserved_port() as port:
        error = await refusal(secretive(f"127.0.0.1:{port}"))
    assert str(error).startswith(f"cannot reach 127.0.0.1:{port}: ")
    assert error.retryable


async def test_an_endless_answer_is_not_read_for_ever() -> None:
    async def go_on(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            await peer.send(b"x-more: " + b"m" * 1000 + b"\r\n")

    async with raw_server(go_on) as host:
        # It ends by itself, long before its time is up.
        error = await refusal(secretive(host))
        assert not isinstance(error, TimeoutError)


async def test_an_extension_that_nobody_asked_for_is_refused(transport: str) -> None:
    async def compress(peer: Peer) -> None:
        await peer.accept("Sec-WebSocket-Extensions: permessage-deflate")
        await peer.send(frame(TEXT, EVENT, rsv=4))
        await peer.gone()

    async with raw_server(compress) as host:
        if transport == "native":
            error = await refusal(secretive(host))
            assert "permessage-deflate" in str(error)
            return
        # aiohttp does not look at the header: the first frame tells.
        async with secretive(host) as model:
            lost = await model.wait_closed()
            assert lost is not None
            assert lost.code == 1002


@pytest.mark.parametrize("pace", ["silent", "dripping"])
async def test_the_handshake_has_its_time_and_no_more(pace: str) -> None:
    async def dawdle(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nx-more: ")
        while pace == "dripping":
            await peer.send(b"m")
            await asyncio.sleep(SHORT_S / 20)
        await peer.gone()

    async with raw_server(dawdle) as host:
        error = await refusal(secretive(host, connect_timeout_s=SHORT_S))
        assert isinstance(error, errors.ConnectTimeoutError)
        assert error.retryable
        assert f"{host} did not answer within {SHORT_S:g} s" in str(error)
        assert "AZURE_VOICE_LIVE_ENDPOINT" in str(error)


async def test_a_slow_handshake_within_its_time_connects() -> None:
    class Dripping(Peer):
        async def send(self, data: bytes) -> None:
            for start in range(0, len(data), 16):
                await super().send(data[start : start + 16])
                await asyncio.sleep(0.001)

    async def drip(peer: Peer) -> None:
        slow = Dripping(peer._reader, peer._writer)
        await slow.accept()
        await slow.close_code()

    async with raw_server(drip) as host, secretive(host) as model:
        assert model.session_ready


# --- Retry-After ---------------------------------------------------------------------------------


async def lost_and_refused(retry_after: str, policy: ReconnectPolicy) -> EventLog:
    """The events of a session that was cut off, then told to come back later, until it tries or gives up."""
    num_connects = 0

    async def behave(peer: Peer) -> None:
        nonlocal num_connects
        num_connects += 1
        if num_connects == 2:
            await peer.request()
            await peer.send(answer("429 Too Many Requests", f"Retry-After: {retry_after}"))
            return
        await peer.accept()
        if num_connects == 1:
            peer.reset()
        await peer.close_code()

    async with raw_server(behave) as host, logged(host, reconnect=policy) as (model, log):
        moments_s: dict[str, float] = {}
        for name in ("reconnecting", "reconnected"):
            model.on(name, lambda _, name=name: moments_s.update({name: time.monotonic()}))
        await log.wait_until(lambda: len(log.all("reconnecting")) == 2 or bool(log.all("closed")))
        if retry_after == "1":
            await log.wait_for("reconnected")
            # The clock of the event loop may be a tick early.
            assert moments_s["reconnected"] - moments_s["reconnecting"] > 0.99
    return log


async def test_a_reconnect_waits_as_long_as_it_is_asked_to() -> None:
    quick = ReconnectPolicy(first_delay_s=0.001, max_delay_s=0.001)
    log = await lost_and_refused("1", quick)
    assert log.all("reconnecting")[1]["delay_s"] == 1.0
    assert "HTTP 429" in log.all("reconnecting")[1]["error"]
    at_s = int(time.time()) + 30
    log = await lost_and_refused(formatdate(at_s, usegmt=True), quick)
    assert at_s - time.time() <= log.all("reconnecting")[1]["delay_s"] <= 30
    # What is neither is as good as nothing.
    log = await lost_and_refused("soon", quick)
    assert log.all("reconnecting")[1]["delay_s"] <= 0.001


@pytest.mark.parametrize("retry_after", ["61", formatdate(4e9, usegmt=True)])
async def test_who_is_asked_to_wait_too_long_gives_up(retry_after: str) -> None:
    quick = ReconnectPolicy(first_delay_s=0.001, max_delay_s=0.001, max_retry_after_s=60)
    log = await lost_and_refused(retry_after, quick)
    assert len(log.all("reconnecting")) == 1
    assert len(log.all("closed")) == 1


# --- the open connection -------------------------------------------------------------------------


@pytest.fixture
def shorten(bystander: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], None]:
    """Sets a time of both transports, for connections from then on: not for the bystander's."""

    def shorten(name: str, seconds: float) -> None:
        for module in (native, sdk):
            monkeypatch.setattr(module, name, seconds)

    return shorten


async def test_a_silent_connection_is_asked_and_given_up(
    shorten: Callable[[str, float], None],
) -> None:
    heard = []

    async def fall_silent(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(frame(TEXT, READY))
        while True:
            heard.append(await peer.receive())

    shorten("HEARTBEAT_S", 5 * SHORT_S)
    async with raw_server(fall_silent) as host, secretive(host) as model:
        async with asyncio.timeout(TIMEOUT_S):
            lost = await model.wait_closed()
        assert lost is not None
        assert (lost.code, lost.retryable) == (1006, True)
        assert lost.reason
    assert [one for one in heard if one[0] == PING] == [(PING, b"")]


async def test_a_silent_connection_that_answers_goes_on(
    shorten: Callable[[str, float], None],
) -> None:
    is_short = asyncio.Event()

    async def live(peer: Peer) -> None:
        await peer.accept()
        if not is_short.is_set():
            await is_short.wait()
            return
        for _ in range(3):
            opcode, payload = await peer.receive()
            assert opcode == PING
            await peer.send(frame(PONG, payload))
        await peer.send(frame(TEXT, EVENT))
        await peer.close_code()

    # What is lost because this machine stood still is made again. A pong that did not count would be its end
    # before the second ping, each time.
    again = ReconnectPolicy(max_attempts=100, first_delay_s=0.001, max_delay_s=0.001)
    async with raw_server(live) as host, logged(host, reconnect=again) as (_, log):
        shorten("HEARTBEAT_S", SHORT_S)
        is_short.set()
        await log.wait_for("user_speech_started")


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_server_that_answers_no_close_is_left_in_time(
    is_silent: bool, shorten: Callable[[str, float], None]
) -> None:
    codes = []

    async def deaf(peer: Peer) -> None:
        await peer.accept()
        codes.append(await peer.close_code())
        while not is_silent:  # it goes on as if nothing had been said
            await peer.send(frame(TEXT, EVENT))
            await asyncio.sleep(SHORT_S / 20)
        await peer.gone()

    shorten("CLOSE_TIMEOUT_S", SHORT_S)
    async with raw_server(deaf) as host:
        model = secretive(host)
        await model.connect()
        log = EventLog(model)
        async with asyncio.timeout(TIMEOUT_S):
            await model.aclose()
        assert log.all("closed") == [{"error": None}]
    assert codes == [1000]


CUTS = {
    "between two frames": b"",
    "within a frame's head": b"\x81",
    "within a frame": frame(TEXT, EVENT)[:-5],
    "within a fragmented message": frame(TEXT, EVENT[:9], fin=False),
}


@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize("said", CUTS.values(), ids=CUTS)
async def test_a_connection_that_is_cut_is_lost(how: str, said: bytes) -> None:
    async def cut(peer: Peer) -> None:
        await peer.accept()
        await peer.send(frame(TEXT, EVENT) + said)
        if how == "RST":
            await peer.receive()  # the client has read by now
            peer.reset()

    async with raw_server(cut) as host, logged(host) as (model, log):
        await log.wait_for("user_speech_started")  # what came before it is told
        if how == "RST":
            await model.clear_audio()
        lost = await model.wait_closed()
        assert lost is not None
        assert (lost.code, lost.retryable) == (1006, True)
        assert not lost.by_us
        assert str(lost).startswith("The connection to Azure Voice Live was lost (code 1006")
        assert log.all("error") == [str(lost)]


@pytest.mark.parametrize(
    ("code", "reason", "is_retryable"),
    [
        (1000, "", True),
        (1001, "session_expired", True),
        (1002, "what?", False),
        (1003, "", False),
        (1007, "", False),
        (1008, "policy", False),
        (1009, "", False),
        (1010, "", True),
        (1011, "r" * 123, True),
        (1012, "", True),
        (1013, "später", True),
        (3000, "", True),
        (4999, "own", True),
    ],
)
async def test_a_close_is_told_with_code_and_reason_and_answered(
    code: int, reason: str, is_retryable: bool, transport: str
) -> None:
    answers = []

    async def close(peer: Peer) -> None:
        await peer.accept()
        await peer.send(frame(TEXT, EVENT) + close_frame(code, reason.encode()))
        answers.append(await peer.close_code())

    async with raw_server(close) as host, logged(host) as (model, log):
        lost = await model.wait_closed()
        assert lost is not None
        assert (lost.code, lost.reason, lost.retryable) == (code, reason, is_retryable)
        assert not lost.by_us
        assert str(lost).startswith(f"Azure Voice Live closed the connection (code {code}")
        assert len(log.all("user_speech_started")) == 1
    assert answers == [code if transport == "native" else 1000]


async def test_a_close_without_a_code_is_told_as_lost() -> None:
    async def close(peer: Peer) -> None:
        await peer.accept()
        await peer.send(frame(CLOSE))
        opcode = (await peer.receive())[0]
        assert opcode == CLOSE

    async with raw_server(close) as host, secretive(host) as model:
        lost = await model.wait_closed()
        assert lost is not None
        assert (lost.code, lost.reason, lost.retryable) == (1006, "", True)


async def test_what_comes_after_a_close_is_ignored() -> None:
    async def go_on(peer: Peer) -> None:
        await peer.accept()
        await peer.send(close_frame(1001, b"bye") + frame(TEXT, EVENT) + b"\xff\xff")
        await peer.close_code()

    async with raw_server(go_on) as host, logged(host) as (model, log):
        lost = await model.wait_closed()
        assert lost is not None
        assert (lost.code, lost.reason) == (1001, "bye")
        assert log.all("user_speech_started") == []
