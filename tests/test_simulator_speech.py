"""The simulator that understands and speaks: the words of real audio, through real sessions."""

from __future__ import annotations

import array
import math

import pytest

from support import EventLog, read_all, speak, speech
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.simulator import Reply, Scenario, Simulator, Turn, local_speech
from voicelane.simulator.input_audio import Clip
from voicelane.simulator.local_speech import LocalSpeech

PHRASES = ("I would like a table for four.", "Tonight, please.", "Good bye.", "Cancel my order.")
QUESTION, QUESTION_RATE_HZ, QUESTION_CHANNELS = speech("question-48k-stereo.wav")
SILENCE = bytes(24_000 * 2)


@pytest.fixture(scope="module")
def spoken() -> dict[str, bytes]:
    says = LocalSpeech()
    return {phrase: says.say(phrase) for phrase in PHRASES}


def test_a_text_is_said(spoken: dict[str, bytes]) -> None:
    short, long = (array.array("h", spoken[phrase]) for phrase in ("Good bye.", PHRASES[0]))
    assert 0.3 < len(short) / 24_000 < 1.5
    assert 1.0 < len(long) / 24_000 < 4.0
    for samples in (short, long):
        assert math.sqrt(sum(sample**2 for sample in samples) / len(samples)) > 500


@pytest.mark.parametrize("encoding", ["pcm16", "g711_ulaw", "g711_alaw"])
def test_listed_phrases_are_heard_in_each_format(spoken: dict[str, bytes], encoding: str) -> None:
    from voicelane.simulator.formats import OUTPUT_FORMATS

    chosen = OUTPUT_FORMATS["pcm16_16000hz" if encoding == "pcm16" else encoding]
    hears = LocalSpeech(PHRASES)
    hears.open()
    try:
        heard = [
            hears.hear(Clip(chosen.encoded(spoken[phrase]), encoding, chosen.rate_hz, 1))
            for phrase in PHRASES
        ]
    finally:
        hears.close()
    assert heard == list(PHRASES)


def test_a_recogniser_that_ends_is_told() -> None:
    hears = LocalSpeech(PHRASES)
    clip = Clip(SILENCE, "pcm16", 24_000, 1)
    with pytest.raises(RuntimeError, match="was closed"):
        hears.hear(clip)
    hears.open()
    assert hears.hear(clip) == ""
    assert hears._process is not None
    process = hears._process
    process.kill()
    with pytest.raises(RuntimeError, match="ended with code -9"):
        hears.hear(clip)
    hears.close()
    assert process.returncode == -9


async def test_a_scenario_is_followed_by_voice(spoken: dict[str, bytes]) -> None:
    scenario = Scenario(
        turns=(
            Turn(Reply("For which evening?"), when="table"),
            Turn(Reply("You have a table tonight."), when="tonight"),
        ),
        user_transcripts=PHRASES,
    )
    async with Simulator(scenario=scenario, speech=True, audio_speed=math.inf) as sim:
        model = AzureVoiceLive(
            model="gpt-realtime",
            endpoint=sim.endpoint,
            api_key=sim.api_key,
            input_sample_rate_hz=24_000,
            input_channels=1,
        )
        log = EventLog(model)
        async with model:
            # In another order than that of the list: the words count.
            for turn, phrase in enumerate(("Tonight, please.", PHRASES[0]), 1):
                await speak(model, SILENCE + spoken[phrase] + SILENCE, chunk_bytes=960)
                await log.wait_for("response_done", turn)
                await log.wait_until(lambda turn=turn: len(log.finals("user")) == turn)  # type: ignore[misc]
            said = read_all(model)
        assert log.finals("user") == ["Tonight, please.", PHRASES[0]]
        assert log.finals("agent") == ["You have a table tonight.", "For which evening?"]
        spoken_reply = LocalSpeech().say("For which evening?")
        assert spoken_reply[4800:48_000] in said
        sim.check()


async def test_a_long_question_is_told_from_others() -> None:
    asked = "Could you tell me what the weather will be like tomorrow afternoon?"
    others = ("Could you tell me what the time is?", "What is the weather like today?", *PHRASES)
    scenario = Scenario(
        turns=(Turn(Reply("It will be sunny."), when="weather .* tomorrow"),),
        user_transcripts=(*others, asked),
    )
    async with Simulator(scenario=scenario, speech=True, audio_speed=math.inf) as sim:
        config = AzureVoiceLiveConfig(turn_detection_silence_duration_ms=1500)  # the speaker pauses
        model = AzureVoiceLive(
            model="gpt-realtime", endpoint=sim.endpoint, api_key=sim.api_key, config=config
        )
        log = EventLog(model)
        async with model:
            silence = bytes(2 * QUESTION_RATE_HZ * QUESTION_CHANNELS * 2)
            await speak(model, QUESTION + silence, chunk_bytes=3840)
            await log.wait_for("response_done")
        assert log.finals("agent") == ["It will be sunny."]
        sim.check()


def test_where_nothing_is_listed_any_words_are_heard(spoken: dict[str, bytes]) -> None:
    hears = LocalSpeech()
    hears.open()
    try:
        words = hears.hear(Clip(spoken["Cancel my order."], "pcm16", 24_000, 1))
    finally:
        hears.close()
    assert "cancel" in words  # not more: "cancel your gut"


def test_a_word_that_the_dictionary_lacks() -> None:
    with pytest.raises(ValueError, match="but got '4', 'voicelane'"):
        Simulator(scenario=Scenario(user_transcripts=("Voicelane for 4",)), speech=True)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_speech.shutil, "which", lambda _: None)
    with pytest.raises(ImportError, match="needs the program espeak-ng"):
        Simulator(speech=True)
    monkeypatch.setitem(__import__("sys").modules, "pocketsphinx", None)
    with pytest.raises(ImportError, match=r"pip install 'voicelane\[simulator-speech\]'"):
        Simulator(speech=True)
