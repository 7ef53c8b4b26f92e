"""Barge-in: the user interrupts, the agent falls silent, and the service learns what was heard.

    python examples/barge_in.py

Runs against the embedded simulator, to show what it was told.
"""

from __future__ import annotations

import asyncio

from shared import AUDIO, arguments, recording, run
from voicelane import AzureVoiceLive
from voicelane.simulator import Simulator

INTERRUPTION = AUDIO / "barge-in-48k-mono.wav"
SILENCE = bytes(1920)  # 20 ms


async def main() -> None:
    async with Simulator() as simulator:
        model = AzureVoiceLive(
            model="gpt-realtime",
            endpoint=simulator.endpoint,
            api_key=simulator.api_key,
            input_channels=1,
        )
        heard = asyncio.Event()
        model.on("agent_speech_started", heard.set)
        model.on("error", print)

        @model.on("user_speech_started")
        def show() -> None:
            # The play head, not the network: most of what was received is not heard yet.
            position = model.playback.position
            print(f"[user] interrupts at {position.audio_end_ms} ms of {position.item_id}")

        async with model:
            reply = await model.send_text_message("Tell me a story.")
            microphone = recording(INTERRUPTION)
            while not reply.is_done:
                await model.audio_track.recv()  # the loudspeaker: 20 ms, when they are due
                if heard.is_set():
                    await model.handle_audio_input(next(microphone, SILENCE))
            print(f"[agent] is silent: {model.playback.buffered_ms:.0f} ms left to be heard")

        [truncate] = [
            event
            for event in simulator.connections[0].received
            if event["type"] == "conversation.item.truncate"
        ]
        print(f"[service] truncates {truncate['item_id']} at {truncate['audio_end_ms']} ms")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
