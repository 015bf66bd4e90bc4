"""Rules that the compiler checks, because a run has to know what they find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.rule import Rule

if TYPE_CHECKING:
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic


class CompilerRule(Rule):
    """A rule whose findings the compiler has made while it compiled the workflows of the file."""

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """What the compiler has found."""
        for flow in module.flows:
            yield from (found for found in flow.diagnostics if found.code == self.code)
