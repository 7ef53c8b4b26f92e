"""What to do about a session that the service did not open."""

from __future__ import annotations

from ...errors import ConnectError, ConnectionLostError, ServiceError, VoiceLiveError
from ..service import Service

# By HTTP status: where a key was given, and where a token of Entra's was.
_WITH_KEY = {
    401: "is it a key of this very resource? Azure's portal shows both under `Keys and Endpoint`",
    403: "the resource takes no keys, or nothing from this network (`Networking` in Azure's portal): "
    "try --credential default",
}
_WITH_TOKEN = {
    401: "is the account of the resource's tenant? `az login --tenant TENANT`",
    403: "give who is signed in the roles `Cognitive Services User` and `Azure AI User` on the resource; "
    "new roles take some minutes",
}
_WITH_EITHER = {
    400: "does the resource have that model or agent? check --model",
    404: "expected an endpoint like https://NAME.services.ai.azure.com, without a path, of a resource in a "
    "region that has Voice Live; check --model too",
    429: "the resource's quota of new connections or tokens is used up: wait{pause}, or ask for more of it "
    "in Azure's portal",
}


def advice(error: VoiceLiveError, service: Service) -> str:
    """One sentence or two on what to check; empty where the error says it itself."""
    match error:
        case ConnectError(status=int(status)):
            statuses = _WITH_EITHER | (_WITH_TOKEN if service.api_key is None else _WITH_KEY)
            pause = f" {error.retry_after_s:g} s" if error.retry_after_s else ""
            if status in statuses:
                return statuses[status].format(pause=pause)
            if status >= 500:
                return f"a fault of the service: wait{pause} and try again; https://azure.status.microsoft"
            return "something else than Voice Live answers there: check the endpoint"
        case ServiceError():
            return "the credentials are good, the session is not: check --model"
        case ConnectionLostError():
            return "the service takes the credentials and hangs up: check --model, and try again"
        case _:  # no HTTP answer: the error names what was in the way
            return ""
