"""The drop-in itself: a VideoSDK realtime model over a voicelane session."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

from videosdk.agents import EncodeOptions, RealtimeBaseModel, encode
from videosdk.agents.event_bus import global_event_emitter

from .. import session
from .._core import PlaybackBuffer
from ..config import DEFAULT_INSTRUCTIONS, AzureVoiceLiveConfig
from ..config.combinations import has_agent
from ..errors import ErrorText, VoiceLiveError
from ..events import EVENT_TYPES
from ..reply import Reply
from ..tools import ToolSet
from .function_tools import tools_of
from .hosts import host
from .input_format import LearnedFormat
from .players import FRAME_S, SAMPLE_BYTES
from .room import TrackPlayback
from .track import AgentAudioTrack

_VIDEO_INTERVAL_S = 1.0


class _Session(session.AzureVoiceLive):
    """The session, as far as the drop-in has to look into it."""

    @property
    def has_more_to_say(self) -> bool:
        """Whether an answer is on its way, or due: to the user, to a tool, to a request."""
        if self._link is None or self._ended is not None:
            return False
        # While it reconnects, an answer is still due.
        return not self._link.conversation.is_quiet or self._open_calls.are_awaited

    def when_heard(self, reached: Callable[[], None]) -> None:
        """Calls back once everything that was received by now was heard, or dropped."""
        self._playout.when_passed(reached)

    async def speak_through(self, playback: PlaybackBuffer) -> None:
        async with self._connect_lock:
            await self._cleanup_session()
            self._playout.play_through(playback)


def _of_session(name: str) -> property:
    """An attribute of the original that is the session's; no part of ``__dict__``, which goes to metrics."""
    return property(
        lambda self: getattr(self._core, name),
        lambda self, value: setattr(self._core, name, value),
    )


class AzureVoiceLive(RealtimeBaseModel):  # type: ignore[misc]
    """Azure Voice Live for VideoSDK Agents: for ``Pipeline(llm=...)`` and ``RealTimePipeline(model=...)``.

    Args:
        model, api_key, credential, endpoint, config: as `voicelane.AzureVoiceLive` takes them.
        tools: what the model may call besides the agent's tools.
        input_sample_rate_hz: frames per second of what `handle_audio_input` gets; by default learned from
            the frames, which have to be of 20 ms then (or what the host saw last in this process).
        input_channels: channels of it.
        **options: what else `voicelane.AzureVoiceLive` takes, such as ``reconnect``.

    Raises:
        TypeError, ValueError: as `voicelane.AzureVoiceLive` does.
    """

    def __init__(
        self,
        *,
        model: str,
        api_key: str | None = None,
        credential: Any = None,
        endpoint: str | None = None,
        config: AzureVoiceLiveConfig | None = None,
        tools: Iterable[Any] = (),
        input_sample_rate_hz: int | None = None,
        input_channels: int | None = None,
        **options: Any,
    ) -> None:
        self._track: Any = None
        self._is_own_track = False
        self._format = LearnedFormat(input_sample_rate_hz, input_channels)
        self._tools = list(tools)
        self._agent: Any = None
        self._host = host()
        try:
            self._core = _Session(
                api_key=api_key,
                endpoint=endpoint,
                model=model,
                config=config,
                credential=credential,
                tools=self._tools,
                input_sample_rate_hz=self._format.format[0],
                input_channels=self._format.format[1],
                **options,
            )
        finally:
            del api_key  # from the tracebacks of what is refused
        self._decoder = self._core.playback
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: Any = None  # the agent's instructions and tools, as they were told last
        self._last_image_s = -_VIDEO_INTERVAL_S
        self._is_end_due = False  # the host waits to be told that the agent has spoken
        self._is_waiting = False
        super().__init__()
        self.loop: asyncio.AbstractEventLoop | None = None
        for name in EVENT_TYPES:
            handler = getattr(self, f"_on_{name}", None)
            self._core.on(name, handler or self._forwarder(name))

    model = _of_session("model")
    endpoint = _of_session("endpoint")
    config = _of_session("config")
    credential = _of_session("credential")
    _session = _of_session("_session")
    _session_ready_event = _of_session("_session_ready_event")
    _closing = _of_session("_closing")
    _instructions = _of_session("_instructions")

    @property
    def audio_track(self) -> Any:
        """Where the agent is heard: the room's track, or after `connect` one of its own."""
        return self._track

    @audio_track.setter
    def audio_track(self, track: Any) -> None:
        self._track = track
        self._is_own_track = False

    @property
    def session_ready(self) -> bool:
        """Whether the service accepted the session, and the connection is open."""
        return self._core.session_ready

    @property
    def connection(self) -> Any:
        """azure-ai-voicelive's connection, None while there is none."""
        return self._core.connection

    @property
    def input_sample_rate(self) -> int:
        """Frames per second of what `handle_audio_input` gets, as far as it is known."""
        return self._format.format[0]

    @property
    def target_sample_rate(self) -> int:
        """Frames per second on the wire."""
        return self._core.target_sample_rate

    @property
    def _agent_speaking(self) -> bool:
        return self._core._agent_speaking

    @property
    def _user_speaking(self) -> bool:
        return self._core._user_speaking

    def stats(self) -> dict[str, Any]:
        """What the session measured so far, as `voicelane.AzureVoiceLive.stats`."""
        return self._core.stats()

    # --- the agent ---------------------------------------------------------------------------

    def set_agent(self, agent: Any) -> None:
        """Takes the agent's instructions and tools, at once where a session is open, else at `connect`.

        VideoSDK calls it once more when the agent's MCP servers have told their tools. What the service
        refuses of an open session is an ``error`` event, and stays as it was.

        Raises:
            ValueError: a tool of the name of one of `tools`, or with a name that the service refuses.
        """
        self._agent = agent
        tools = ToolSet([*self._tools, *tools_of(getattr(agent, "tools", None) or ())])
        before, self._told = self._told, (self._instructions_of_agent(), tools.wire())
        if not self.session_ready:
            self._core.set_tools(tools)
            self._instructions = self._told_instructions()
        elif self._told != before:
            self._start(self._update(tools, self._told_instructions()), "voicelane-videosdk-agent")
        else:
            self._core.set_tools(tools)  # the same to the service, perhaps other functions

    async def _update(self, tools: ToolSet, instructions: str) -> None:
        # An agent of the service has its own.
        is_told = not has_agent(self.config.connect_query(""))
        changes = {"instructions": instructions} if is_told else {}
        try:
            await self._core.update_session(tools=tools, **changes)
        except VoiceLiveError as error:
            self.emit("error", ErrorText(f"Error updating the agent: {error}", error))

    def _instructions_of_agent(self) -> str:
        return getattr(self._agent, "instructions", None) or DEFAULT_INSTRUCTIONS

    def _told_instructions(self) -> str:
        told = self._instructions_of_agent()
        if hasattr(self, "instructions_with_context"):  # 1.x
            told = self.instructions_with_context(told)
        return told

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- connect and close -------------------------------------------------------------------

    async def connect(self) -> None:
        """Connects and waits until the service has accepted the session.

        Raises:
            AuthenticationError, ConnectTimeoutError, ConnectError: no connection.
            ServiceError: the service refused the session's settings.
            SessionNotReadyError: the service said nothing in time.
            ConnectionLostError: the connection ended before.
        """
        self._is_end_due = self._is_waiting = False
        self._told = (self._instructions_of_agent(), self._core.tools)
        self._instructions = self._told_instructions()
        old = self._core.playback
        await self._core.speak_through(self._output())
        if isinstance(old, TrackPlayback):
            await old.close()
        self._core.audio_track = self._track or self  # the session is to make none
        await self._core.connect()

    def _output(self) -> PlaybackBuffer:
        is_muted = self._track is None and self.loop is not None and self._host.tells_the_end
        if self.loop is None:
            self.loop = asyncio.get_running_loop()
        if self._is_own_track or (self._track is None and not is_muted):
            # 1.x takes the track away where another voice speaks (hybrid TTS); 0.x has none without a room.
            if self._track is None:
                self._track = AgentAudioTrack(self.loop, self._decoder)
                self._is_own_track = True
            return self._decoder
        rate_hz = self._decoder.output_rate_hz
        _frame_for(self._track, rate_hz)
        return cast(PlaybackBuffer, TrackPlayback(self._decoder, self._track, rate_hz))

    async def aclose(self) -> None:
        """Closes the connection and ends every task; the track stays the host's. Idempotent."""
        if (utterance := self.current_utterance) is not None and not utterance.done():
            utterance.interrupt(force=True)  # or who awaits it would wait for ever
        await self._core.aclose()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if isinstance(self._core.playback, TrackPlayback):
            await self._core.playback.close()
        await super().aclose()

    # --- microphone, text, images ------------------------------------------------------------

    async def handle_audio_input(self, audio_data: bytes) -> None:
        """Takes a frame of s16. Never waits and never raises; see `voicelane.AzureVoiceLive`.

        While the agent says what must not be interrupted, nothing is heard.
        """
        if self._must_be_heard_out():
            return
        try:
            before = self._format.format
            learned = self._format.take(memoryview(audio_data).nbytes)
            if learned != before:
                self._core.set_input_format(*learned)
        except (TypeError, ValueError) as error:
            self.emit("error", f"Error processing audio input: {error}")
            return
        await self._core.handle_audio_input(audio_data)

    async def send_message(self, message: str) -> Reply:
        """Has the agent say exactly this text.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        return self._watched(await self._core.send_message(message))

    async def send_text_message(self, message: str) -> Reply:
        """Says this text as the user; the agent answers.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        return self._watched(await self._core.send_text_message(message))

    async def send_message_with_frames(
        self, message: str | None, frames: Sequence[Any] = ()
    ) -> Reply:
        """Shows images (`av.VideoFrame`) and says this text as the user; the agent answers.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        content = [await _image(frame) for frame in frames]
        if message:
            content.append({"type": "input_text", "text": message})
        return self._watched(await self._core.send_content(content))

    async def handle_video_input(self, video_data: Any) -> None:
        """Shows the model an `av.VideoFrame`, at most one a second. Never raises."""
        now_s = asyncio.get_running_loop().time()
        if not self.session_ready or now_s - self._last_image_s < _VIDEO_INTERVAL_S:
            return
        self._last_image_s = now_s
        try:
            await self._core.add_content([await _image(video_data)])
        except (VoiceLiveError, ValueError, TypeError, AttributeError, OSError) as error:
            self.emit("error", f"Error processing video input: {error}")

    async def interrupt(self) -> None:
        """Cuts the agent off, unless what it says must not be interrupted."""
        if self._must_be_heard_out():
            return
        await self._core.interrupt()
        self._check_end()

    def _must_be_heard_out(self) -> bool:
        utterance = self.current_utterance
        return utterance is not None and not utterance.done() and not utterance.is_interruptible

    # --- what the session tells --------------------------------------------------------------

    def _forwarder(self, name: str) -> Any:
        return lambda payload: self.emit(name, payload)

    def _on_user_speech_started(self, payload: Any) -> None:
        utterance = self.current_utterance
        was_heard = self._agent_speaking or not self._core.playback.is_idle
        self._host.user_speech_started(interrupted=was_heard)
        self.emit("user_speech_started", payload)
        if was_heard and utterance is not None and _can_interrupt(utterance):
            utterance.interrupt()  # nobody else tells who awaits it

    def _on_user_speech_ended(self, payload: Any) -> None:
        self._is_end_due = True
        self._host.user_speech_ended(self._agent)
        self.emit("user_speech_ended", payload)

    def _on_agent_speech_started(self, payload: Any) -> None:
        self._is_end_due = True
        self._host.agent_speech_started(self._agent)
        self.emit("agent_speech_started", payload)

    def _on_agent_speech_ended(self, _payload: Any) -> None:
        self._check_end()

    def _on_response_done(self, payload: Any) -> None:
        if payload["usage"]:
            self._host.usage(payload["usage"])
        self.emit("response_done", payload)
        self._check_end()

    def _on_closed(self, payload: Any) -> None:
        self.emit("closed", payload)
        self._check_end()

    def _on_realtime_model_transcription(self, payload: Any) -> None:
        self._host.transcription(self._agent, payload)
        self.emit("realtime_model_transcription", payload)
        if payload["role"] == "agent" and payload["is_final"]:
            self.emit("llm_text_output", {"text": payload["text"]})

    def _on_realtime_model_function_executed(self, payload: Any) -> None:
        self._host.function_executed(self._agent, payload)
        self.emit("realtime_model_function_executed", payload)

    def _on_text_response(self, payload: Any) -> None:
        global_event_emitter.emit("text_response", payload)

    # --- when the agent has spoken -----------------------------------------------------------

    def _watched(self, reply: Reply) -> Reply:
        self._is_end_due = True
        self._start(self._watch(reply), "voicelane-videosdk-reply")
        return reply

    async def _watch(self, reply: Reply) -> None:
        with contextlib.suppress(VoiceLiveError):  # the session has told it
            await reply
        self._check_end()

    def _wait_for_end(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._core.when_heard(self._check_again)

    def _check_again(self) -> None:
        self._is_waiting = False
        self._check_end()

    def _check_end(self) -> None:
        """Tells the host, once, when everything was heard and nothing more is to come."""
        if self._closing or not self._is_end_due or self._core.has_more_to_say:
            return
        if not self._core.playback.is_idle:
            self._wait_for_end()
            return
        self._is_end_due = False
        track, by_track = self._track, self._host.tells_the_end and not self._is_own_track
        if by_track and hasattr(track, "mark_synthesis_complete"):
            track.mark_synthesis_complete()  # calls the pipeline back, which emits the event
        elif not (by_track and hasattr(track, "on_last_audio_byte")):
            self._host.agent_speech_ended(self._agent)
            self.emit("agent_speech_ended", {})


def _can_interrupt(utterance: Any) -> bool:
    return utterance.is_interruptible and not utterance.done()


def _frame_for(track: Any, rate_hz: int) -> None:
    """Sets a track to the session's rate: a text-to-speech before it may have left another."""
    if hasattr(track, "set_input_format"):
        track.set_input_format(rate_hz, 1)
    if hasattr(track, "chunk_size"):
        track.sample_rate = rate_hz
        track.time_base_fraction = Fraction(1, rate_hz)
        track.samples = round(rate_hz * FRAME_S)
        track.chunk_size = track.samples * getattr(track, "channels", 1) * SAMPLE_BYTES


async def _image(frame: Any) -> Mapping[str, Any]:
    jpeg = await asyncio.to_thread(encode, frame, EncodeOptions(format="JPEG", quality=75))
    url = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return {"type": "input_image", "image_url": url}
