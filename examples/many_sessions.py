"""Many sessions in one process: one call feeds them all, one call hears them all, every 20 ms.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/many_sessions.py --sessions 50
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from shared import account, arguments, recording, run
from voicelane import AzureVoiceLive, feed_many, read_many

FRAME_S = 0.02
SILENCE = bytes(960 * 4)  # 20 ms of 48 kHz stereo


async def main(num_sessions: int, seconds: float) -> None:
    async with AsyncExitStack() as stack:
        where = await stack.enter_async_context(account())
        sessions = [AzureVoiceLive(model="gpt-realtime", **where) for _ in range(num_sessions)]
        for session in sessions:
            session.on("error", print)
            stack.push_async_callback(session.aclose)
        await asyncio.gather(*(session.connect() for session in sessions))
        ears = [session.playback for session in sessions]
        spoken = recording()
        clock = asyncio.get_running_loop().time
        start_s = due_s = clock()
        while due_s < start_s + seconds:
            pcm = next(spoken, SILENCE)
            feed_many(sessions, [pcm] * num_sessions)  # here each user says the same
            read_many(ears, 480)  # a frame of each, to be sent to its listener
            due_s += FRAME_S
            await asyncio.sleep(due_s - clock())
        heard_s = [ear.played_ms / 1000 for ear in ears]
        sent_s = [session.stats()["audio_sent_ms"] / 1000 for session in sessions]
        print(f"{num_sessions} sessions: {min(sent_s):.1f} s or more said by each user")
        print(f"and {min(heard_s):.1f} s or more heard of each agent")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--sessions", type=int, default=20, help="default: 20")
    parser.add_argument("--seconds", type=float, default=12.0, help="default: 12")
    args = parser.parse_args()
    run(main(args.sessions, args.seconds))
