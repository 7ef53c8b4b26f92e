"""The gateway that is measured, in a process of its own: `server.py LOAD_SERVER_URL MAX_CALLS`."""

from __future__ import annotations

import itertools
import sys

from aiohttp import web

from voicelane import AzureVoiceLive
from voicelane.gateway import CallRequest, GatewaySettings, create_app


def main() -> None:
    url, max_calls = sys.argv[1:]
    numbers = itertools.count()

    def new_session(call: CallRequest) -> AzureVoiceLive:
        # The load server knows sessions by the name of their model.
        model = f"bench-{next(numbers)}"
        return AzureVoiceLive(model=model, endpoint=url, api_key="key", config=call.config())

    def tell(text: str) -> None:
        print(text.partition("\n")[0], flush=True)

    app = create_app(new_session, GatewaySettings(max_calls=int(max_calls), drain_s=0))
    web.run_app(app, host="127.0.0.1", port=0, access_log=None, print=tell)


if __name__ == "__main__":
    main()
