"""Two conversations with the live service, replayed through a real socket."""

from __future__ import annotations

import base64

from support import RECORDINGS, EventLog, read_all
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.simulator import Simulator
from voicelane.simulator.recording import read_recording


def whole_samples(text: str) -> bytes:
    """The recording's deltas were cut to 33 bytes each: half a sample too many."""
    audio = base64.b64decode(text)
    return audio[: len(audio) // 2 * 2]


async def test_a_turn_with_audio() -> None:
    path = RECORDINGS / "text_in_audio_out_turn.yaml"
    async with Simulator(replay=path) as sim:
        model = AzureVoiceLive(model="gpt-realtime", endpoint=sim.endpoint, api_key=sim.api_key)
        log = EventLog(model)
        async with model:
            assert model._session.session_id == "sess_E4BAqtCqVqu1JZb9KeWeA"
            await model.send_text_message("Say a short greeting.")
            done = await log.wait_for("response_done")

            texts = ["Hola", "Hola,", "Hola, ¿", "Hola, ¿qué", "Hola, ¿qué tal", "Hola, ¿qué tal?"]
            said = [(text, False) for text in texts] + [("Hola, ¿qué tal?", True)]
            assert log.all("realtime_model_transcription") == [
                {"role": "agent", "text": text, "is_final": is_final} for text, is_final in said
            ]
            assert done["response_id"] == "resp_E4BAqe5bKD2fzpGWYUcxW"
            assert (done["status"], done["usage"]["total_tokens"]) == ("completed", 61)
            recorded = [frame.data for frame in read_recording(path)]
            deltas = [one for one in recorded if one["type"] == "response.audio.delta"]
            assert read_all(model) == b"".join(whole_samples(one["delta"]) for one in deltas)
            assert model.playback.position.item_id == "item_E4BAqvdWBX2CPiTEwdsGK"
            await log.wait_for("agent_speech_ended")
            assert list(dict.fromkeys(name for name, _ in log.events)) == [
                "realtime_model_transcription",
                "response_done",
                "agent_speech_started",
                "agent_speech_ended",
            ]
            assert log.all("error") == []


async def test_a_round_with_a_tool_call() -> None:
    asked: list[str] = []

    async def get_weather(city: str) -> str:
        """The weather in a city now."""
        asked.append(city)
        return f"It is foggy and 12 degrees in {city}."

    path = RECORDINGS / "tool_call_round.yaml"
    async with Simulator(replay=path) as sim:
        config = AzureVoiceLiveConfig(modalities=["text"])
        model = AzureVoiceLive(
            model="gpt-realtime",
            endpoint=sim.endpoint,
            api_key=sim.api_key,
            config=config,
            tools=[get_weather],
        )
        log = EventLog(model)
        async with model:
            await model.send_text_message("What is the weather in London?")
            done = await log.wait_for("response_done", 2)

            assert asked == ["London"]
            assert log.all("realtime_model_function_executed") == [
                {
                    "name": "get_weather",
                    "arguments": '{  \n  "city": "London" \n} \n',
                    "call_id": "call_gjTmnRCz6ans0s2H",
                    "output": "It is foggy and 12 degrees in London.",
                    "is_error": False,
                }
            ]
            # What our client said is what the recorded one said, and in its order.
            recorded = [frame.data for frame in read_recording(path) if frame.direction == "sent"]
            output = {"type": "function_call_output", "call_id": "call_gjTmnRCz6ans0s2H",
                      "output": "It is foggy and 12 degrees in London."}  # fmt: skip
            answer = [
                {"type": "conversation.item.create", "item": output},
                {"type": "response.create"},
            ]
            received = sim.connections[0].received
            sent = [{k: v for k, v in event.items() if k != "event_id"} for event in received]
            assert sent[-2:] == recorded[-2:] == answer

            text = "It's foggy and 12 degrees in London right now."
            assert log.all("text_response") == [{"text": text, "type": "done"}]
            assert log.finals("agent") == [text]
            assert done["usage"]["total_tokens"] == 110
            assert log.all("error") == []
            assert model.playback.stats()["written_frames"] == 0
        # Only the options of the session are others than the recorded client's.
        unmet = sim.connections[0].unmet()
        assert all(line.startswith("event 2, session.update") for line in unmet)
