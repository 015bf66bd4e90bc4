"""Names and paths: the one function that decides what a valid name is, and the one way to build a path.

A path is the names from the outermost step inwards, joined by ``/``; a map's item adds ``[3]`` or ``["key"]``. The
characters that have a meaning in a path are percent-encoded inside a name, so that different names never give the same
path. The runtime, the lint and the drawing all use this module.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from flowgraph.errors import InvalidName, InvalidOption

MAX_NAME_LENGTH = 512

_plain = re.compile(r"[\w.:@ -]{1,512}").fullmatch
_forbidden = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_special = re.compile(r'[/\[\]%"]')


def checked_name(name: object) -> str:
    """Return `name` as an exact ``str``, or raise InvalidName saying which rule it breaks.

    >>> checked_name("charge card")
    'charge card'
    """
    if not isinstance(name, str):
        raise InvalidName(name, f"a name is text, not {type(name).__name__}")
    text = str.__str__(name)
    if _plain(text) and not text.isspace():
        return text
    if not text:
        raise InvalidName(name, "it is empty")
    if text.isspace():
        raise InvalidName(name, "it is only white space")
    if len(text) > MAX_NAME_LENGTH:
        raise InvalidName(name, f"it has {len(text)} characters, and {MAX_NAME_LENGTH} is the most")
    if found := _forbidden(text):
        raise InvalidName(name, f"it has the character U+{ord(found.group()):04X}, which a name may not have")
    return text


def checked_key(key: str) -> str:
    """Return the key of a map's item if it can be part of a path; InvalidOption otherwise."""
    if len(key) > MAX_NAME_LENGTH:
        raise InvalidOption("key", key, f"it has {len(key)} characters, and {MAX_NAME_LENGTH} is the most")
    if found := _forbidden(key):
        raise InvalidOption("key", key, f"it has the character U+{ord(found.group()):04X}, which a key may not have")
    return key


def escaped(name: str) -> str:
    """Encode the characters of a valid name that have a meaning in a path.

    >>> escaped("a/b[0]")
    'a%2Fb%5B0%5D'
    """
    return _special.sub(lambda found: f"%{ord(found.group()):02X}", name)


def child_path(parent: str, name: object) -> str:
    """The path of step `name` under `parent` ("" for the workflow itself); the name is checked.

    >>> child_path("process-users[3]", "charge")
    'process-users[3]/charge'
    """
    text = escaped(checked_name(name))
    return f"{parent}/{text}" if parent else text


def item_path(path: str, index: int, key: str | None = None) -> str:
    """The path of one item of a map, by its key if there is one.

    >>> item_path("charge", 3), item_path("charge", 3, "user-7")
    ('charge[3]', 'charge["user-7"]')
    """
    return f"{path}[{index}]" if key is None else f'{path}["{escaped(key)}"]'


def leaf_name(path: str) -> str:
    """The last part of a path, as it was written.

    >>> leaf_name("process/a%2Fb")
    'a/b'
    """
    return unquote(path.rpartition("/")[2])


def parent_path(path: str) -> str:
    """The path of the step that holds `path`: an item's map, a sub-step's parent, "" for a step of the workflow.

    >>> parent_path("a/b[3]"), parent_path("a/b"), parent_path("a")
    ('a/b', 'a', '')
    """
    head, slash, leaf = path.rpartition("/")
    if leaf.endswith("]"):
        return path[: path.rindex("[")]
    return head if slash else ""


def is_below(path: str, ancestor: str) -> bool:
    """Tell whether `path` is a sub-step of `ancestor`, at any depth."""
    return path.startswith((f"{ancestor}/", f"{ancestor}["))
