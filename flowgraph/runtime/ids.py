"""Ids of runs: text that grows with time, so that the index on it is filled in order and stays small."""

from __future__ import annotations

import hashlib
import os

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, in lower case."""


def new_run_id(now_us: int) -> str:
    """A new id: 48 bits of time in milliseconds, then 80 random ones, as in a ULID."""
    return _text(now_us // 1_000, 10) + _text(int.from_bytes(os.urandom(10), "big"), 16)


def child_run_id(parent_id: str, path: str) -> str:
    """The id of the child that step `path` of run `parent_id` starts: always the same."""
    digest = hashlib.blake2b(f"{parent_id}\n{path}".encode(), digest_size=16).digest()
    return _text(int.from_bytes(digest, "big") & ((1 << 130) - 1), 26)


def _text(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
