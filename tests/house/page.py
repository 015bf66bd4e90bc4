"""Runs the Python blocks of one page of the documentation, each from its fence to its end, in one namespace.

    python tests/house/page.py docs/tutorial.md

A block may await at its top level. A block headed ``text output`` that follows must be what the block above printed. A
block headed ``python no-run`` is only compiled.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import linecache
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

FENCE = re.compile(r"^```(?P<head>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block:
    """One fenced block: what stands behind the fence, the text, and the number of its first line."""

    def __init__(self, head: str, text: str, line: int) -> None:
        self.head = head
        self.text = text
        self.line = line


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(found["head"].strip(), found["text"], text.count("\n", 0, found.start("text")) + 1)


def run_page(page: Path) -> int:
    """Run a page; returns how many blocks ran."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module  # Dataclasses and annotations look their module up.
    printed, ran = "", 0
    for block in blocks(page):
        if block.head == "python":
            printed = _run(page, block, module)
            ran += 1
        elif block.head == "python no-run":
            _compiled(page, block)
        elif block.head == "text output" and printed != block.text:
            raise AssertionError(f"{page}:{block.line}: the block above printed\n{printed}\nand not\n{block.text}")
    return ran


def _run(page: Path, block: Block, module: types.ModuleType) -> str:
    code = _compiled(page, block)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        result = eval(code, vars(module))
        if inspect.iscoroutine(result):
            asyncio.run(result)
    return output.getvalue()


def _compiled(page: Path, block: Block) -> types.CodeType:
    """The code of a block, with the page's own line numbers; `inspect` finds its source."""
    name = f"{page}:{block.line}"
    text = "\n" * (block.line - 1) + block.text
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))  # Where a page writes its modules.
    for argument in sys.argv[1:]:
        print(f"{argument}: {run_page(Path(argument))} blocks ran")
