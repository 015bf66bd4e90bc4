"""The rules, one in each file. A new file here is a new rule: nothing else has to be told of it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from flowgraph.lint.rule import ProjectRule, Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """All rules, in the order of their codes."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [
        kind()
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Rule) and kind.__module__ == module.__name__
    ]
    return tuple(sorted(found, key=lambda rule: rule.code))


__all__ = ["ProjectRule", "Rule", "all_rules"]
