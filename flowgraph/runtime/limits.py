"""How large a payload may be."""

from __future__ import annotations

from flowgraph.errors import PayloadTooLarge

PAYLOAD_LIMIT = 8 * 1024 * 1024
"""Bytes of JSON text."""


def check_size(path: str, text: str) -> None:
    """Raise PayloadTooLarge, naming `path`, if a payload is too large."""
    if len(text) > PAYLOAD_LIMIT // 4 and (size := len(text.encode())) > PAYLOAD_LIMIT:
        raise PayloadTooLarge(path, size, PAYLOAD_LIMIT)
