"""Who the session is for the service."""

from __future__ import annotations

import asyncio
import os
from typing import Any

API_KEY_VARIABLE = "AZURE_VOICE_LIVE_API_KEY"
ENDPOINT_VARIABLE = "AZURE_VOICE_LIVE_ENDPOINT"

MISSING_CREDENTIALS = (
    "Azure Voice Live credentials required. Provide api_key, credential, "
    f"or set {API_KEY_VARIABLE} environment variable"
)


def resolve_credential(credential: Any, api_key: str | None) -> Any:
    """The credential that counts: the argument, the key, the environment's key, then Entra ID.

    Raises:
        ValueError: there is none of them, and Entra's default chain cannot be made.
    """
    from azure.core.credentials import AzureKeyCredential

    if credential is not None:
        return credential
    key = api_key or os.environ.get(API_KEY_VARIABLE)
    if key:
        return AzureKeyCredential(key)
    from azure.core.exceptions import AzureError

    try:
        # The async chain: the sync one fetches its token on the event loop.
        from azure.identity.aio import DefaultAzureCredential

        return DefaultAzureCredential()
    except (ImportError, ValueError, AzureError) as error:
        raise ValueError(MISSING_CREDENTIALS) from error


class NoTokenError(Exception):
    """A credential raised `error` where it was to give a token."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class AwaitedCredential:
    """A token credential, sync or async, for an async caller: a sync one's token is fetched on a thread."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        """As the credential's own `get_token`.

        Raises:
            NoTokenError: whatever that raised.
        """
        get_token = self._credential.get_token
        try:
            if asyncio.iscoroutinefunction(get_token):
                return await get_token(*scopes, **kwargs)
            return await asyncio.to_thread(get_token, *scopes, **kwargs)
        except Exception as error:  # noqa: BLE001 - the caller's code; told as the reason of the failure
            raise NoTokenError(error) from None

    async def close(self) -> None:
        """The credential is the caller's: nothing is closed."""

    async def __aenter__(self) -> AwaitedCredential:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()


def off_the_loop(credential: Any) -> Any:
    """A credential whose token never blocks the event loop; a key is as it was."""
    return AwaitedCredential(credential) if hasattr(credential, "get_token") else credential
