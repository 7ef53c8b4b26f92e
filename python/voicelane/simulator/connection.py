"""One client's websocket: carries messages to its conversation and sends what is due, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web

from .conversation import Conversation
from .event_faults import EventFaults, error_event, session_expired
from .events import Event
from .expectations import Expect
from .faults import NO_FAULTS, Faults
from .limits import Limits
from .record import Record
from .recording import RecordingWriter
from .replay import Replay
from .wire import Wire

_CLOSE_TIMEOUT_S = 1.0
_MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY)
_TOO_FAST = error_event(
    "rate_limit_error", "rate_limit_exceeded", "Audio comes too far ahead of real time."
)


class Connection:
    """A connection to the simulator, for tests to look at and to disturb. Made by the simulator.

    Attributes:
        received: The client's events, in order (see `Record`).
        audio: The start of the audio that it appended, decoded from base64.
        sent: How many events it was sent whole, by type.
        close_code: The websocket code that the side which closed it sent, 1006 if it was cut;
            None while it is open.
    """

    def __init__(
        self,
        request: web.Request,
        websocket: web.WebSocketResponse,
        conversation: Conversation | Replay,
        record: Record,
        *,
        limits: Limits,
        expect: Expect,
        unanswered: list[str],
        writer: RecordingWriter | None,
        is_slow: bool,
    ) -> None:
        self.received = record.received
        self.audio = record.audio
        self.sent = record.sent
        self.close_code: int | None = None
        self._record = record
        self._request = request
        self._websocket = websocket
        self._conversation = conversation
        assert isinstance(request.transport, Wire)
        self._wire = request.transport
        self._event_faults = EventFaults(self._wire.faults)
        self._limits = limits
        self._expect = expect
        self._unanswered = unanswered
        self._writer = writer
        self._is_slow = is_slow
        self._loop = asyncio.get_running_loop()
        self._opened_s = self._loop.time()
        # Held while the conversation moves on and until what it said is sent: keeps the order.
        self._sending = asyncio.Lock()
        self._due_s: float | None = None
        self._rescheduled = asyncio.Event()
        self._news: asyncio.Event | None = None  # where somebody waits for it
        self._closing: asyncio.Future[tuple[int | None, str]] = self._loop.create_future()
        self._ended = asyncio.Event()

    @property
    def audio_bytes(self) -> int:
        """How many bytes of audio the client appended."""
        return self._record.audio_bytes

    @property
    def is_closing(self) -> bool:
        """Whether it was ended by this side, or is over."""
        return self._closing.done() or self._ended.is_set() or self._wire.is_closing()

    @property
    def faults(self) -> Faults:
        """What goes wrong. When it is replaced, from now on; what it counts begins anew."""
        return self._wire.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._event_faults = EventFaults(faults)
        self._wire.configure(faults)
        self._look_at_bytes()

    @property
    def recorded_in(self) -> Path | None:
        """The file that its events are written to."""
        return self._writer.path if self._writer else None

    def unmet(self) -> list[str]:
        """Return what the client did otherwise than the scenario or the recording expects, a line each.

        Nothing where the simulator cut the connection by a fault: the client could not go on.
        """
        if self.faults is not NO_FAULTS and self.close_code not in (None, 1000, 1001):
            return []
        lines = self._expect.unmet(self.received, self._conversation.session)
        lines += [f"the scenario has no turn that answers {words!r}" for words in self._unanswered]
        if isinstance(self._conversation, Replay):
            lines += self._conversation.deviations + self._conversation.missing()
        return lines

    def assert_sent(self, *events: Event | str, never: Sequence[Event | str] = ()) -> None:
        """Raise AssertionError unless the client sent these events in this order, others between.

        Args:
            events: Types of events, or patterns (see `voicelane.simulator.expectations`).
            never: What it must not have sent.
        """
        patterns, forbidden = (
            tuple({"type": one} if isinstance(one, str) else one for one in some)
            for some in (events, never)
        )
        lines = Expect(events=patterns, never=forbidden).unmet(self.received, {})
        if lines:
            raise AssertionError("\n".join(lines))

    async def wait_until(self, condition: Callable[[Connection], bool]) -> None:
        """Wait until `condition(self)` holds; it is asked again after each message, in or out."""
        while not condition(self):
            self._news = self._news or asyncio.Event()
            await self._news.wait()

    async def send(self, event: Event) -> None:
        """Send one event of the caller's making, between two of the conversation's."""
        async with self._sending:
            await self._send([event])

    async def close(self, code: int | None = 1001, reason: str = "") -> None:
        """Close the websocket with this code; wait a second at most for the client's answer.

        With None, cut the TCP connection without a word.
        """
        self._begin_close(code, reason)
        await self._ended.wait()

    async def abort(self) -> None:
        """Cut the TCP connection, without a word."""
        await self.close(None)

    async def run(self) -> None:
        """Serve the client until one side closes."""
        try:
            async with self._sending:
                await self._move(self._conversation.open)
            async with asyncio.TaskGroup() as tasks:
                listener = tasks.create_task(self._listen(), name="simulator-listener")
                speaker = tasks.create_task(self._speak(), name="simulator-speaker")
                expiry = tasks.create_task(self._expire(), name="simulator-expiry")
                await asyncio.wait((listener, self._closing), return_when=asyncio.FIRST_COMPLETED)
                listener.cancel()
                speaker.cancel()
                expiry.cancel()
            # Only now: aiohttp waits for the client's close only if nobody else reads.
            await self._finish_close()
        finally:
            if self.close_code is None:
                self.close_code = WSCloseCode.ABNORMAL_CLOSURE
            if self._writer is not None:
                self._writer.close()
            self._ended.set()
            self._tell_news()

    def _begin_close(self, code: int | None, reason: str) -> None:
        """Let `run` close with this code, or cut the connection (None)."""
        if not self._closing.done():
            self._closing.set_result((code, reason))

    async def _finish_close(self) -> None:
        if not self._closing.done():
            if self.close_code is None:
                self.close_code = self._websocket.close_code
            return
        code, reason = self._closing.result()
        if code is None or self._wire.is_dead:
            self.close_code = WSCloseCode.ABNORMAL_CLOSURE
            self._wire.abort()
            return
        self.close_code = code
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._websocket.close(code=self.close_code, message=reason.encode())
        except TimeoutError:  # a client that does not read
            self._wire.abort()

    async def _listen(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message.type not in _MESSAGES:
                if isinstance(message.data, WebSocketError):
                    self.close_code = message.data.code  # which aiohttp has told the client
                return
            if self._writer is not None:
                self._writer.take_message(message.data)
            async with self._sending:
                await self._move(self._conversation.receive, message.data, self._loop.time())
            self._tell_news()
            if self._is_too_fast():
                await self.send(_TOO_FAST)
                self._begin_close(1008, "audio too fast")

    def _is_too_fast(self) -> bool:
        limit_ms = self._limits.audio_ahead_ms
        if limit_ms is None or isinstance(self._conversation, Replay):
            return False
        elapsed_ms = (self._loop.time() - self._opened_s) * 1000
        return self._conversation.audio_ms - elapsed_ms > limit_ms

    async def _expire(self) -> None:
        await asyncio.sleep(self._limits.session_s)
        await self.send(session_expired())
        self._begin_close(1001, "session expired")

    async def _speak(self) -> None:
        while True:
            await self._wait_until_due()
            async with self._sending:
                if self._is_due():  # still: a message may have cancelled it meanwhile
                    await self._move(self._conversation.advance, self._loop.time())
                    self._tell_news()
            if self._is_due():  # as at infinite speed
                await asyncio.sleep(0)  # let the others have their turn

    async def _move(self, step: Callable[..., list[Event]], *arguments: object) -> None:
        """Let the conversation move on, in a thread if it is slow, and send what it says."""
        if self._is_slow:
            events = await asyncio.to_thread(step, *arguments)
        else:
            events = step(*arguments)
        due_s, self._due_s = self._due_s, self._conversation.due_s
        if self._due_s != due_s:
            self._rescheduled.set()
        if events:  # after most appends there are none
            await self._send(events)

    def _is_due(self) -> bool:
        return self._due_s is not None and self._due_s <= self._loop.time()

    async def _wait_until_due(self) -> None:
        while not self._is_due():
            self._rescheduled.clear()
            timer = None
            if self._due_s is not None:
                timer = self._loop.call_at(self._due_s, self._rescheduled.set)
            try:
                await self._rescheduled.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    async def _send(self, events: list[Event]) -> None:
        with self._wire.gathering():
            for event in events:
                await self._send_one(event)

    async def _send_one(self, event: Event) -> None:
        for text, is_whole in self._event_faults.said_for(event):
            if self._closing.done():
                return
            # The client may go between two events; then the listener ends the session.
            with suppress(ConnectionError):
                await self._websocket.send_str(text)
                self.sent[event["type"]] += is_whole
                if self._writer is not None and is_whole:
                    self._writer.take("received", event)
        if self._event_faults.close is not None:
            self._begin_close(*self._event_faults.close)
        self._look_at_bytes()
        self._tell_news()

    def _look_at_bytes(self) -> None:
        faults, limit = self._wire.faults, self._wire.faults.close_after_bytes
        # Without a code the wire cuts at the very byte.
        if (
            limit is not None
            and faults.close_code is not None
            and self._wire.num_sent_bytes >= limit
        ):
            self._begin_close(faults.close_code, faults.close_reason)

    def _tell_news(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()
