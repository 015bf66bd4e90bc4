"""Which calls run awaitables on an event loop, and whose loop that is: the workflow's, or one of their own."""

from __future__ import annotations

import ast

from flowgraph.compiler import Foreign, Names, words
from flowgraph.lint.analysis.origins import origin

_NEEDING = words.SPAWNING | words.GATHERING
"""Functions that can only be called where a loop runs."""

_RUNNING = frozenset({"asyncio.run", "asyncio.Runner().run"})


def runs_its_own_loop(call: ast.Call, names: Names) -> bool:
    """Tell whether a call runs what it is given on a loop of its own, which a run knows nothing of.

    ``run_until_complete`` does so whatever object it is a method of.
    """
    is_method = isinstance(call.func, ast.Attribute) and call.func.attr == "run_until_complete"
    return is_method or origin(call.func, names) in _RUNNING


def needs_a_loop(call: ast.Call, names: Names) -> bool:
    """Tell whether a call hands what it is given to the loop of the thread, and so fails where there is none."""
    meaning = names.meaning_of(call.func)
    return isinstance(meaning, Foreign) and meaning.name in _NEEDING
