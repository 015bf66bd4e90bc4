"""What all calls of `step` begin with: the scope, or the error that there is none."""

from __future__ import annotations

from flowgraph.errors import NotInWorkflow
from flowgraph.model import CURRENT, Scope, checked_name


def call_text(method: str, name: object = None) -> str:
    """A call as it is named in an error.

    >>> call_text("sleep", "nap"), call_text("", "fetch"), call_text("info")
    ('step.sleep("nap", …)', 'step("fetch", …)', 'step.info()')
    """
    function = f"step.{method}" if method else "step"
    if name is None:
        return f"{function}()"
    return f'{function}("{name}", …)' if isinstance(name, str) else f"{function}({name!r}, …)"


def entered(method: str, name: object) -> tuple[Scope, str]:
    """The scope that is being executed, and the checked name."""
    checked = checked_name(name)
    scope = CURRENT.get()
    if scope is None:
        raise NotInWorkflow(call_text(method, checked))
    return scope, checked
