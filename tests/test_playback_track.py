"""The track: frames at the pace of a speaker, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from array import array
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from clock import Clock
from voicelane import PlaybackBuffer, PlaybackPosition, PlaybackTrack
from voicelane.errors import PlaybackEndedError, VoiceLiveError

FRAME_S = 0.020


def samples(frames: int) -> bytes:
    return array("h", [1_000] * frames).tobytes()


def track_of(**settings: Any) -> tuple[PlaybackBuffer, PlaybackTrack]:
    buffer = PlaybackBuffer(24_000)
    return buffer, PlaybackTrack(buffer, frame_type="bytes", **settings)


@pytest.mark.parametrize("rate_hz", [11_025, 24_000, 44_100, 48_000])
async def test_an_hour_of_frames_does_not_drift(clock: Clock, rate_hz: int) -> None:
    buffer = PlaybackBuffer(24_000, output_rate_hz=rate_hz, output_channels=2)
    track = PlaybackTrack(buffer, frame_type="bytes")
    start_s, handed_out = clock.now_s, 0
    for turn in range(180_000 // 20):
        clock.now_s += turn % 19 / 1000  # the caller's own work
        assert clock.now_s <= start_s + handed_out / rate_hz + FRAME_S
        handed_out += len(await track.recv()) // 4  # type: ignore[arg-type]
        assert clock.now_s >= start_s + (handed_out - track.frame_frames) / rate_hz - 1e-7
    assert clock.now_s - start_s == pytest.approx(handed_out / rate_hz, abs=FRAME_S)


async def test_300_ms_late_it_catches_up_without_a_burst(clock: Clock) -> None:
    _, track = track_of()
    await track.recv()
    start_s = clock.now_s
    clock.now_s += 0.300
    moments = []
    for _ in range(60):
        await track.recv()
        moments.append(clock.now_s - start_s)
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) == pytest.approx(FRAME_S / 2)
    on_time = [n for n, moment_s in enumerate(moments) if moment_s <= (n + 1) * FRAME_S + 1e-9]
    assert on_time == list(range(28, 60)), "back on schedule 300 ms later, and then for good"


async def test_after_a_suspension_it_goes_on_from_now(clock: Clock) -> None:
    pytest.importorskip("av")
    track = PlaybackTrack(PlaybackBuffer(24_000), frame_type="av")
    await track.recv()
    clock.now_s += 3_600
    first, second = await track.recv(), await track.recv()
    assert 3_599.9 * 24_000 < first.pts <= 3_600 * 24_000  # type: ignore[union-attr]
    assert second.pts - first.pts == 480  # type: ignore[union-attr]


async def test_a_caller_that_gets_later_and_later_goes_on_from_now(clock: Clock) -> None:
    pytest.importorskip("av")
    track = PlaybackTrack(PlaybackBuffer(24_000), frame_type="av")
    start_s, skipped, last_pts = clock.now_s, 0, -480
    for _ in range(400):
        pts = (await track.recv()).pts  # type: ignore[union-attr]
        skipped += pts != last_pts + 480
        last_pts = pts
        assert clock.now_s - start_s - pts / 24_000 <= 1.0
        clock.now_s += 0.025
    assert skipped == 1, "5 ms later each time: a second after 200 frames"


async def test_it_begins_on_the_next_10_ms_of_the_clock_and_stays_there(clock: Clock) -> None:
    _, track = track_of()
    clock.now_s += 0.0034
    moments = []
    for _ in range(3):
        await track.recv()
        moments.append(clock.now_s)
    assert moments == pytest.approx([100.01, 100.03, 100.05], abs=1e-7)


async def test_tracks_that_begin_at_any_time_wake_the_loop_twice_a_frame(clock: Clock) -> None:
    async def listen(track: PlaybackTrack, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        for _ in range(52):
            await track.recv()

    listeners = [listen(track_of()[1], n * 0.00037) for n in range(50)]
    before = len(clock.timers)
    await asyncio.gather(*listeners)
    in_a_second = [timer for timer in clock.timers[before:] if 100.03 < timer.when() <= 101.03]
    assert len(in_a_second) == 100


async def test_every_sample_is_handed_out_once_and_in_order(clock: Clock) -> None:
    buffer, track = track_of()
    pcm = array("h", range(1, 10_001)).tobytes()
    buffer.write(pcm)
    frames = [await track.recv() for _ in range(21)]
    assert b"".join(frames) == pcm + bytes(21 * 960 - len(pcm))  # type: ignore[arg-type]


async def test_a_cancelled_recv_takes_nothing(clock: Clock) -> None:
    buffer, track = track_of()
    buffer.write(samples(960))
    await track.recv()
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await track.recv() == samples(480)
    assert buffer.played_ms == 40


async def test_two_receivers_share_the_pace(clock: Clock) -> None:
    _, track = track_of()
    start_s = clock.now_s
    await asyncio.gather(*(track.recv() for _ in range(5)))
    assert clock.now_s - start_s >= 4 * FRAME_S - 1e-9


async def test_speech_ends_when_it_was_handed_out_and_not_when_it_was_received(
    clock: Clock,
) -> None:
    buffer, track = track_of(grace_ms=200)
    told: list[Any] = []
    track.on("speech_started", lambda: told.append("started"))
    track.on("speech_ended", told.append)

    @track.on("speech_ended")
    async def later(position: PlaybackPosition) -> None:
        told.append(position.audio_end_ms)

    @track.on("speech_ended")
    def faulty() -> None:
        raise LookupError("a handler's fault")

    await track.recv()
    buffer.write(samples(24_000), item_id="item")
    buffer.finish()
    for _ in range(50):
        await track.recv()
    assert told == ["started"], "the last sample has just been handed out"
    for _ in range(9):
        await track.recv()
    assert told == ["started"]
    await track.recv()
    assert told[1] == buffer.position
    await track.drain_handlers()
    assert told[2:] == [1_000]
    for _ in range(50):
        await track.recv()
    assert len(told) == 3, "once per utterance"


async def test_a_buffer_that_ran_dry_has_not_ended(clock: Clock) -> None:
    buffer, track = track_of(grace_ms=100)
    told: list[Any] = []
    track.on("speech_ended", told.append)
    buffer.write(samples(480))
    for _ in range(100):
        await track.recv()
    assert not told
    buffer.write(samples(480))
    buffer.pause()
    buffer.finish()
    for _ in range(100):
        await track.recv()
    assert not told, "it waits to be heard"
    buffer.resume()
    for _ in range(6):
        await track.recv()
    assert len(told) == 1


async def test_an_interrupt_ends_speech_and_a_word_within_the_grace_goes_on_with_it(
    clock: Clock,
) -> None:
    buffer, track = track_of(grace_ms=100)
    told: list[Any] = []
    track.on("speech_ended", told.append)
    buffer.write(samples(24_000), item_id="first")
    await track.recv()
    assert track.interrupt(fade_ms=20).audio_end_ms == 20
    await track.recv()
    await track.recv()
    buffer.write(samples(480), item_id="second")
    await track.recv()
    for _ in range(4):
        await track.recv()
    buffer.interrupt()
    assert not told
    await track.recv()
    assert [position.item_id for position in told] == ["second"]


async def test_without_a_grace_it_is_told_with_the_last_frame(clock: Clock) -> None:
    buffer, track = track_of(grace_ms=0)
    told: list[Any] = []
    track.on("speech_ended", told.append)
    buffer.write(samples(700))
    buffer.finish()
    await track.recv()
    assert not told
    await track.recv()
    assert len(told) == 1


async def test_a_stopped_track_is_ended_and_its_buffer_is_not(clock: Clock) -> None:
    buffer, track = track_of()
    _, other = track_of()
    told: list[str] = []
    track.on("ended", lambda: told.append("ended"))
    buffer.write(samples(960))
    await track.recv()
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    assert (track.kind, track.readyState) == ("audio", "live")
    track.stop()
    track.stop()
    assert (track.readyState, told) == ("ended", ["ended"])
    for attempt, after_s in ((track.recv(), 0), (waiting, FRAME_S)):
        with pytest.raises(PlaybackEndedError, match="stopped"):
            await attempt
        assert clock.now_s == pytest.approx(100 + after_s)
    assert issubclass(PlaybackEndedError, VoiceLiveError)
    assert buffer.buffered_ms == 20
    assert len(await other.recv()) == 960  # type: ignore[arg-type]
    assert track.id != other.id


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (
            {"frame_type": "wav"},
            ValueError,
            "frame_type: expected 'auto', 'av' or 'bytes', got 'wav'",
        ),
        ({"grace_ms": -1}, ValueError, "grace_ms: expected at least 0, got -1"),
        ({"grace_ms": float("nan")}, ValueError, "grace_ms"),
    ],
)
def test_bad_settings_are_refused_by_name(
    settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        PlaybackTrack(PlaybackBuffer(), **settings)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
async def test_frames_for_pyav(clock: Clock, rate_hz: int, channels: int) -> None:
    av = pytest.importorskip("av")
    buffer = PlaybackBuffer(rate_hz, output_channels=channels)
    track = PlaybackTrack(buffer)  # "auto": PyAV is here
    frame_frames = rate_hz // 50
    buffer.write(array("h", range(1, 2 * frame_frames + 1)))
    for n in range(2):
        frame = await track.recv()
        assert isinstance(frame, av.AudioFrame)
        assert (frame.sample_rate, frame.samples) == (rate_hz, frame_frames)
        assert frame.format.name == "s16"
        assert frame.layout.nb_channels == channels
        assert (frame.pts, frame.time_base) == (n * frame_frames, Fraction(1, rate_hz))
        expected = array("h")
        for value in range(n * frame_frames + 1, (n + 1) * frame_frames + 1):
            expected.extend([value] * channels)
        assert bytes(frame.planes[0])[: len(expected) * 2] == expected.tobytes()


def test_without_pyav_the_frames_are_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicelane.playback.find_spec", lambda _: None)
    with pytest.raises(ImportError, match="PyAV"):
        PlaybackTrack(PlaybackBuffer(), frame_type="av")
    frame = asyncio.run(PlaybackTrack(PlaybackBuffer()).recv())
    assert frame == bytes(960)


def test_a_track_imports_pyav_with_its_first_frame_at_the_earliest() -> None:
    code = """
import sys, asyncio
from voicelane import PlaybackBuffer, PlaybackTrack
track = PlaybackTrack(PlaybackBuffer(), frame_type="bytes")
track.kind
asyncio.run(track.recv())
assert not {"av", "numpy", "aiortc"} & set(sys.modules), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_it_plays_in_a_webrtc_session() -> None:
    """Two peers of aiortc on loopback; the far one hears the tone."""
    aiortc = pytest.importorskip("aiortc")
    buffer = PlaybackBuffer(24_000, output_rate_hz=48_000, output_channels=2)
    track = PlaybackTrack(buffer)
    buffer.write(array("h", [9_000 if n // 24 % 2 else -9_000 for n in range(480_000)]))
    near, far = aiortc.RTCPeerConnection(), aiortc.RTCPeerConnection()
    heard = asyncio.get_running_loop().create_future()
    far.on("track", heard.set_result)
    try:
        sender = near.addTrack(track)
        assert sender.track is track
        await near.setLocalDescription(await near.createOffer())
        await far.setRemoteDescription(near.localDescription)
        await far.setLocalDescription(await far.createAnswer())
        await near.setRemoteDescription(far.localDescription)
        remote = await heard
        loudest = 0
        while loudest < 5_000:
            loudest = max(array("h", bytes((await remote.recv()).planes[0])))
        track.stop()
        with pytest.raises(aiortc.mediastreams.MediaStreamError):
            await track.recv()
    finally:
        await near.close()
        await far.close()
