"""A session with settings of its own: an Azure voice, semantic turn detection, text on the way out.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/configured_session.py
"""

from __future__ import annotations

import asyncio

from shared import account, arguments, run
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, PlaybackTrack
from voicelane.config import (
    AzureSemanticVad,
    AzureStandardVoice,
    EndOfUtterance,
    StaticInterimResponse,
    Transcription,
)
from voicelane.events import TranscriptionPayload

CONFIG = AzureVoiceLiveConfig(
    voice=AzureStandardVoice("en-US-AvaNeural", style="cheerful", rate="1.1"),
    turn_detection=AzureSemanticVad(
        silence_duration_ms=400,
        remove_filler_words=True,
        end_of_utterance_detection=EndOfUtterance(threshold_level="high", timeout_ms=800),
    ),
    input_audio_noise_reduction="azure_deep_noise_suppression",
    input_audio_echo_cancellation="server_echo_cancellation",
    input_audio_transcription=Transcription(
        "azure-speech", language=["en-US", "de-DE"], phrase_list=["voicelane"]
    ),
    interim_response=StaticInterimResponse(texts=["One moment, please."], triggers=["tool"]),
    output_audio_timestamp_types=["word"],
    max_response_output_tokens=400,
    metadata={"example": "configured_session"},
)


async def main() -> None:
    async with account() as where:
        model = AzureVoiceLive(model="gpt-4.1", config=CONFIG, **where)
        answered = asyncio.Event()

        @model.on("realtime_model_transcription")
        def show(said: TranscriptionPayload) -> None:
            if said["is_final"]:
                print(f"{said['role']}: {said['text']}")

        model.on("response_done", answered.set)
        model.on("error", print)
        model.audio_track = PlaybackTrack(model.playback, frame_type="bytes")
        async with model:
            # In the course of a session: the same names, the same checks.
            await model.update_session(temperature=0.7, tool_choice="none")
            await model.send_text_message("Can you hear me?")
            await answered.wait()

            heard = 0
            while not model.playback.is_idle:
                heard += len(await model.audio_track.recv()) // 2
        print(f"heard {heard / 24_000:.1f} s of the agent")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
