"""What is written on the shape of a node: its title, and the small second line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from flowgraph.model import doubled, name_parts
from flowgraph.model.checkpoint import (
    BATCH,
    EXECUTE_WORKFLOW,
    FOR_EACH,
    LISTEN,
    MAP,
    PROGRESS,
    SLEEP,
    SLEEP_UNTIL,
    START_WORKFLOW,
    WAIT_FOR_WORKFLOW,
)
from flowgraph.model.graph import Node
from flowgraph.render.picture import Title

_blanks = re.compile(r"[ \t\r\n]+")

LONGEST = 40
"""Conditions and headers are shortened to so many characters; the tooltip has all of it."""

_LONGEST_NAME = 120
_CHILDREN = frozenset({EXECUTE_WORKFLOW, START_WORKFLOW})
_WORDS = {
    MAP: "map",
    FOR_EACH: "for each of",
    BATCH: "batch",
    SLEEP: "sleep",
    SLEEP_UNTIL: "sleep until",
    LISTEN: "listen",
    WAIT_FOR_WORKFLOW: "wait for workflow",
    PROGRESS: "",
    "fail": "fail",
    "abort": "abort",
    "transaction": "transaction",
}
_OPTIONS = {
    "max_attempts": "… attempts",
    "timeout": "timeout …",
    "executor": "on …",
    "concurrency": "concurrency …",
    "batch_size": "by …",
    "key": "key …",
    "event": "event …",
}
_UNTOLD = frozenset({"returns", "items", "done", "total", "duration", "run_id"})


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text on one line, and not longer than some characters.

    >>> shortened("customer.is_known and order.total > LIMIT", 20)
    'customer.is_known a…'
    """
    text = _blanks.sub(" ", text).strip()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def title_of(node: Node) -> Title:
    """What stands first on a shape: a step's name with its holes, or the text of any other node."""
    if node.is_step:
        return _cut(tuple(name_parts(node.name)), _LONGEST_NAME)
    match node.kind:
        case "fail" | "abort":
            message = _message(node)
            return _cut(((f"{node.kind} " if message else node.kind, False), *message), LONGEST * 2)
        case "try" | "finally":
            return ((node.kind, False),)
        case "start" | "end":
            return ()
    return ((shortened(node.name), False),)


def _message(node: Node) -> Title:
    """Why a run fails or is aborted, with its holes."""
    text = " ".join(map(_plain, node.arguments[:1]))
    if not text:
        return ()
    try:
        found = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ((text, False),)
    if not isinstance(found, ast.JoinedStr):
        return ((text, False),)
    written = "".join(
        doubled(str(part.value)) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
        for part in found.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )
    return tuple(name_parts(written))


def _cut(title: Title, longest: int) -> Title:
    kept: list[tuple[str, bool]] = []
    for text, is_hole in title:
        room = longest - sum(len(one) for one, _ in kept)
        if len(text) > room:
            kept.append((f"{text[: max(room - 1, 0)]}…", is_hole))
            break
        kept.append((text, is_hole))
    return tuple(kept)


def detail_of(node: Node) -> str:
    """The second line of a step: what it does, with the options that are not as usual."""
    if not node.is_step or node.kind == PROGRESS:
        return ""
    return shortened(" · ".join(part for part in (_work(node), *_options(node)) if part), 60)


def child_of(node: Node) -> str | None:
    """The workflow that a step starts, as it is written; None for any other node."""
    if node.kind not in _CHILDREN or not node.arguments:
        return None
    return _plain(node.arguments[0])


def _work(node: Node) -> str:
    child = child_of(node)
    if child is not None:
        return f"workflow {child}" if node.kind == EXECUTE_WORKFLOW else f"start workflow {child}"
    word = _WORDS.get(node.kind)
    if word is None:
        handler = _handler(node.handler)
        return "" if handler.replace("_", "-") == node.name.replace("_", "-") else handler
    given = next(iter(node.arguments), node.options.get("items") or node.options.get("duration") or "")
    return f"{word} {_plain(given)}".strip()


def _handler(text: str) -> str:
    """A handler in short: a lambda is what it calls."""
    return shortened(text.partition(":")[2].strip() if text.startswith("lambda") else text, LONGEST)


def _options(node: Node) -> Iterator[str]:
    for option, value in node.options.items():
        if option in _UNTOLD or value == "None" or (option == "at_most_once" and value == "False"):
            continue
        if option == "at_most_once" and value == "True":
            yield "at most once"
        elif option == "on_error":
            yield "collects errors" if _plain(value) == "collect" else f"on error {_plain(value)}"
        else:
            yield _OPTIONS.get(option, f"{option} …").replace("…", shortened(_plain(value), 24), 1)


def _plain(text: str) -> str:
    """A value as people write it: text without its quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def tooltip_of(node: Node) -> str:
    """All of a node in one text."""
    parts = [node.name or node.kind]
    if node.handler:
        parts.append(f"handler {node.handler}")
    parts += (f"{option}={value}" for option, value in node.options.items())
    if node.line:
        parts.append(f"line {node.line}")
    return " · ".join(parts)
