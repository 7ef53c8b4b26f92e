"""One open connection and the two tasks that serve it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._core import Interrupted, PlaybackBuffer
from .actions import Action
from .errors import ServiceError, SessionNotReadyError, VoiceLiveError
from .logs import session_logger
from .protocol import Conversation, trim_to_whole_samples
from .transport import Received, Transport
from .uplink import Uplink

_log = session_logger(__name__)

_TRIMMED = "An audio delta ended within a sample: its last byte was dropped"


class Link:
    """Serves a connection until it ends: one reader, one sender.

    The session's settings and history are sent first, and only then what the uplink holds: nothing that
    the caller sends can overtake them.

    Args:
        transport: the open connection.
        conversation: decides.
        uplink: what waits to be sent; outlives this connection.
        playback: takes the audio.
        obey: carries out the conversation's actions.
        report: is told of a server event that cannot be read.
    """

    def __init__(
        self,
        transport: Transport,
        conversation: Conversation,
        uplink: Uplink,
        playback: PlaybackBuffer,
        obey: Callable[[Link, Iterable[Action]], None],
        report: Callable[[ValueError], None],
    ) -> None:
        self.transport = transport
        self.conversation = conversation
        self._uplink = uplink
        self._playback = playback
        self._obey = obey
        self._report = report
        self.session_id: str | None = None
        self.expires_at_s: float | None = None
        self._accepted = asyncio.Event()
        self._refused: ServiceError | None = None
        self._updates: OrderedDict[str, asyncio.Future[None]] = OrderedDict()
        self.replayed_ids: set[str] = set()
        self._interrupted: Interrupted | None = None
        self._reader: asyncio.Task[None] | None = None
        self._task: asyncio.Task[VoiceLiveError | None] | None = None

    def accept(self, session_id: str | None, expires_at_s: float | None) -> None:
        """The service accepted the session, or a change of it. What it does not say again stays."""
        self.session_id = session_id or self.session_id
        self.expires_at_s = expires_at_s or self.expires_at_s
        if self._accepted.is_set() and self._updates:
            # Confirmations carry no id: they come in the order of the changes.
            _, accepted = self._updates.popitem(last=False)
            if not accepted.done():
                accepted.set_result(None)
        self._accepted.set()

    def refuse(self, error: ServiceError) -> bool:
        """Whether it was the session's settings, or a change of them, that the service refused."""
        if not self._accepted.is_set():
            self._refused = error
            self._accepted.set()
            return True
        refused = self._updates.pop(error.event_id or "", None)
        if refused is None:
            return False
        if not refused.done():
            refused.set_exception(error)
        return True

    async def update(self, session: Mapping[str, Any], timeout_s: float) -> None:
        """Changes settings, and waits until the service has accepted them.

        Raises:
            ServiceError: it refused them.
            SessionNotReadyError: it said nothing in time, or the connection ended before.
        """
        event_id = f"voicelane-update-{secrets.token_hex(6)}"
        self._uplink.put_event({"type": "session.update", "event_id": event_id, "session": session})
        accepted = asyncio.get_running_loop().create_future()
        self._updates[event_id] = accepted
        try:
            done, _ = await asyncio.wait(
                {accepted, self.task}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if accepted not in done:
                raise SessionNotReadyError(
                    "Azure Voice Live did not confirm the session's new settings"
                )
            accepted.result()
        finally:
            accepted.cancel()  # it keeps its place: an answer that comes late is not the next one's

    async def open(
        self, session: Mapping[str, Any], history: Iterable[Mapping[str, Any]], timeout_s: float
    ) -> None:
        """Sends the settings, waits until they are accepted, and tells the history.

        Raises:
            ServiceError: the service refused the settings.
            SessionNotReadyError: it said nothing in time.
            ConnectionLostError: the connection ended before.
        """
        await self.transport.send({"type": "session.update", "session": session})
        reader = asyncio.create_task(self._read(), name="azure-voice-live-reader")
        accepted = asyncio.create_task(self._accepted.wait())
        try:
            await asyncio.wait(
                {reader, accepted}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if self._refused is not None:
                raise self._refused
            if not self._accepted.is_set():
                if reader.done():
                    reader.result()
                raise SessionNotReadyError("Azure Voice Live session did not become ready in time")
            for event in history:
                await self.transport.send(event)
                self.replayed_ids.add(event["item"]["id"])
        except BaseException:
            await _cancel(reader)
            raise
        finally:
            accepted.cancel()
        self._reader = reader

    def start(self) -> None:
        """Begins to send what the uplink holds. From now on the uplink is this link's."""
        assert self._reader is not None, "the link is not open"
        name = "azure-voice-live-events"
        self._task = asyncio.create_task(self._serve(self._reader), name=name)

    @property
    def task(self) -> asyncio.Task[VoiceLiveError | None]:
        """Ends with the connection; its result says why."""
        assert self._task is not None, "the link was not started"
        return self._task

    async def stop(self) -> None:
        """Ends both tasks: nothing is read or sent any more."""
        await _cancel(*(task for task in (self._task, self._reader) if task is not None))

    async def close(self) -> None:
        """Ends both tasks and the connection. Idempotent."""
        try:
            await self.stop()
        finally:
            await self.transport.close()

    def catch_up(self) -> None:
        """Handles what has come and not been handled yet: the caller decides on the newest state."""
        self._handle_all(self.transport.receive_nowait())

    def silence(self) -> None:
        """Nothing more of the response that is being received is to be heard."""
        if (response_id := self.conversation.active_response_id) is not None:
            self.transport.silence(response_id)

    async def _serve(self, reader: asyncio.Task[None]) -> VoiceLiveError | None:
        sending = self.transport.serve(self._uplink)
        sender = asyncio.create_task(sending, name="azure-voice-live-sender")
        try:
            done, _ = await asyncio.wait({reader, sender}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(reader, sender)
        # Where both have ended, the reader knows what the service said.
        error = (reader if reader in done else sender).exception()
        if error is None or isinstance(error, VoiceLiveError):
            return error
        return told_fault("processing events", error)

    async def _read(self) -> None:
        while True:
            self._handle_all(await self.transport.receive())

    def _handle_all(self, received: Iterable[Received]) -> None:
        for one in received:
            match one:
                case bytes():
                    self._read_text(one)
                case ValueError():
                    self._report(one)
                case Interrupted():
                    self._interrupted = one
                case played:
                    self._obey(self, self.conversation.handle_audio(played))
                    if played.trimmed_bytes:
                        _log.warning(_TRIMMED)

    def _read_text(self, text: bytes) -> None:
        try:
            actions = self._actions_after(text)
        except ValueError as error:
            if (trimmed := trim_to_whole_samples(text)) is None:
                self._report(error)
            else:
                _log.warning(_TRIMMED)
                self._read_text(trimmed)
        else:
            self._obey(self, actions)

    def _actions_after(self, text: bytes) -> list[Action]:
        conversation = self.conversation
        if self.transport.writes_playback:
            interrupted, self._interrupted = self._interrupted, None
            return conversation.handle(_parsed(text), interrupted)
        accepted = conversation.accepted_response_id
        delta = self._playback.write_event(text, response_id=accepted)
        if delta is not None:
            return conversation.handle_audio(delta)
        return conversation.handle(_parsed(text))


def told_fault(doing: str, fault: BaseException) -> VoiceLiveError:
    """Logs a fault of voicelane itself. Returns the error that the session ends with."""
    _log.error("The session met a fault of voicelane itself", exc_info=fault)
    return VoiceLiveError(f"Error {doing}: {fault!r}")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("expected a server event, got JSON that is nested too deep") from None


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
