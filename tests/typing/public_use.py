# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What users write, for mypy and pyright to check. It is not run.

`assert_type` is what they must infer. A line with `type: ignore` must be an error to both: to ignore what is
none is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

from voicelane import (
    AzureVoiceLive,
    AzureVoiceLiveConfig,
    CaptureEncoder,
    PlaybackBuffer,
    PlaybackPosition,
    Reply,
    Resampler,
    Tool,
    feed_many,
    read_many,
)
from voicelane.errors import ErrorText, VoiceLiveError
from voicelane.events import (
    ClosedPayload,
    Error,
    Event,
    FunctionExecutedPayload,
    NoPayload,
    Transcription,
    TranscriptionPayload,
)
from voicelane.session_events import Decorator


def get_weather(city: str) -> str:
    return f"fog over {city}"


session = AzureVoiceLive(
    model="gpt-realtime",
    config=AzureVoiceLiveConfig(voice="en-US-AvaNeural"),
    tools=[get_weather, Tool(get_weather, timeout_s=5)],
)
AzureVoiceLive()  # type: ignore[call-arg]
AzureVoiceLive(model="gpt-realtime", transport="carrier pigeon")  # type: ignore[arg-type]


# --- handlers: a call, or a decorator ------------------------------------------------------------


@session.on("realtime_model_transcription")
def on_transcription(said: TranscriptionPayload) -> None:
    assert_type(said["text"], str)
    assert_type(said["is_final"], bool)
    said["speaker"]  # type: ignore[typeddict-item]


@session.on("realtime_model_function_executed")
async def on_call(call: FunctionExecutedPayload) -> None:
    assert_type(call["call_id"], str)
    assert_type(call["is_error"], bool)


@session.on("response_done")
def on_done() -> int:
    return 1


@session.on("error")
def on_error(error: ErrorText) -> None:
    assert_type(error.code, str | int | None)


@session.on("reconnecting")
def on_lost(payload: dict[str, Any]) -> None: ...


@session.on("of my own")
def on_own(payload: Any) -> None: ...


@session.on("closed")  # type: ignore[arg-type]
def wrong_payload(said: TranscriptionPayload) -> None: ...


def take_text(said: TranscriptionPayload) -> None: ...
async def take_call(call: FunctionExecutedPayload) -> None: ...


assert_type(on_done(), int)
assert_type(session.on("closed"), Decorator[ClosedPayload])
assert_type(session.on("reconnected"), Decorator[NoPayload])
assert_type(session.on("closed", None), Decorator[ClosedPayload])
assert_type(session.on("of my own", handler=None), Decorator[object])

session.on("error", print)
session.on("closed", on_done)
session.on("response_done", lambda done: print(done["status"]))
session.on("reconnecting", lambda: print("again"))
session.on("realtime_model_transcription", take_text)
session.on("realtime_model_function_executed", take_call)
session.on("of my own", on_own)
for name in ("closed", "of my own"):
    session.on(name, on_own)

session.on("closed", take_text)  # type: ignore[arg-type]
session.on("error", take_call)  # type: ignore[arg-type]
session.on("closed", 3)  # type: ignore[call-overload]
session.on(3, on_own)  # type: ignore[call-overload]


# --- what is awaited and iterated ----------------------------------------------------------------


async def talk() -> None:
    async with session as entered:
        assert_type(entered, AzureVoiceLive)
        await entered.handle_audio_input(bytes(3840))
        reply = await entered.send_text_message("Hello")
        assert_type(reply, Reply)
        assert_type((await reply).usage, Mapping[str, Any] | None)
        assert_type(await entered.commit_audio(), Reply)
        await entered.send_text_message(3)  # type: ignore[arg-type]
        async for event in entered.events():
            assert_type(event, Event)
            match event:
                case Transcription(role, text):
                    assert_type(text, str)
                    assert role in ("user", "agent")
                case Error(error=error):
                    assert_type(error, Exception | None)
                case _:
                    pass
        assert_type(await entered.wait_closed(), VoiceLiveError | None)


# --- the audio -----------------------------------------------------------------------------------

assert_type(Resampler(48_000, 24_000).process(bytes(4)), bytes)
assert_type(CaptureEncoder(48_000, 2).encode_event(bytes(4)), str | None)
Resampler(48_000, 24_000, quality="best")  # type: ignore[arg-type]

playback: PlaybackBuffer = session.playback
assert_type(playback.take(480), tuple[bytes, int])
assert_type(playback.interrupt(fade_ms=20), PlaybackPosition)
playback.read_into("text")  # type: ignore[arg-type]

feed_many([session], [bytes(3840)])
assert_type(read_many([playback], 480), list[bytes])
