"""Reading what came over the wire: JSON objects as they come, of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is an object, an empty one where it is not."""
    return value if isinstance(value, Mapping) else {}
