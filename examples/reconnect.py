"""A lost connection: when it is made again is yours to decide, and the conversation goes on.

    python examples/reconnect.py

Runs against the embedded simulator, to have a connection that can be cut.
"""

from __future__ import annotations

import asyncio

from shared import arguments, run
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, ReconnectPolicy
from voicelane.errors import AuthenticationError, VoiceLiveError
from voicelane.events import ReconnectingPayload
from voicelane.simulator import Simulator


class Patient(ReconnectPolicy):
    """Tries again even where the key is refused: it is being rotated at the moment."""

    def is_retryable(self, error: VoiceLiveError) -> bool:
        return isinstance(error, AuthenticationError) or super().is_retryable(error)


async def main() -> None:
    async with Simulator() as simulator:
        model = AzureVoiceLive(
            model="gpt-realtime",
            config=AzureVoiceLiveConfig(modalities=["text"]),
            endpoint=simulator.endpoint,
            api_key=simulator.api_key,
            reconnect=Patient(max_attempts=10, first_delay_s=0.1, max_delay_s=1.0),
        )
        back = asyncio.Event()

        @model.on("reconnecting")
        def show(attempt: ReconnectingPayload) -> None:
            print(f"[reconnecting] attempt {attempt['attempt']}: {attempt['error']}")

        @model.on("reconnected")
        def again() -> None:
            print("[reconnected]")
            back.set()

        async with model:
            await model.send_text_message("My name is Ada.")
            await simulator.connections[0].abort()  # the network fails
            await back.wait()
            reply = await model.send_text_message("What is my name?")
            print(f"agent: {(await reply).text}")

        items = [event.get("item", {}) for event in simulator.connections[1].received]
        for item in items:
            if item.get("type") == "message":
                print(f"[told again] {item['role']}: {item['content'][0]['text']}")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
