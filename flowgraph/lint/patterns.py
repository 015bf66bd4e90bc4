"""Patterns of paths, as settings have them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePath


def matches(pattern: str, path: PurePath) -> bool:
    """Tell whether a pattern means a path, or a folder that it is in.

    A pattern without a slash means any file or folder of that name; one with a slash is the way from the folder of the
    settings, from which `path` is counted too. A star is any text without slashes, two stars are any text.

    >>> matches("generated", PurePath("shop/generated/flow.py")), matches("*_old.py", PurePath("shop/flow_old.py"))
    (True, True)
    >>> matches("tests/*.py", PurePath("tests/flow.py")), matches("tests/*.py", PurePath("shop/tests/flow.py"))
    (True, False)
    >>> matches("shop/**/flow.py", PurePath("shop/a/b/flow.py")), matches("shop/", PurePath("shop/flow.py"))
    (True, True)
    """
    pattern = pattern.removeprefix("./")
    if "/" in pattern.rstrip("/"):
        expression = _compiled(pattern.strip("/"))
        return any(expression.fullmatch(place.as_posix()) for place in (path, *path.parents))
    expression = _compiled(pattern.rstrip("/"))
    return any(expression.fullmatch(part) for part in path.parts)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    means = {"**/": r"(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(means.get(part) or re.escape(part) for part in parts), re.DOTALL)
