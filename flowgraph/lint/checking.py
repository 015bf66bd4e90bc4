"""Checking one file: from its bytes to what the rules say of it. Nothing here is printed, and nothing escapes."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import decode_source
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from flowgraph.lint.exports import mentions
from flowgraph.lint.report import Failure
from flowgraph.lint.suppressions import Comment, comments_of, may_have_comments
from flowgraph.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from flowgraph.compiler import Unit
    from flowgraph.lint.module import Module
    from flowgraph.lint.rule import Rule
    from flowgraph.lint.settings import Settings

_T = TypeVar("_T")
Read = dict[str, bytes | None]
_WORDS = (b"step", b"workflow")
_MODULES = frozenset({"flowgraph", "flowgraph.dsl", "flowgraph.dsl.step", "flowgraph.dsl.workflow"})


@attrs.frozen
class Checked:
    """What is known of one file after it was checked.

    Attributes:
        path: the file.
        findings: what the rules say, whether it is accepted by a comment or not.
        comments: the comments in the file that accept findings.
        facts: by code, what the rules about the whole project have to know.
        exports: the names by which other files can get at steps through this one.
        workflows: how many it defines.
        failures: what broke.
    """

    path: str
    findings: tuple[Diagnostic, ...] = ()
    comments: tuple[Comment, ...] = ()
    facts: dict[str, Any] = attrs.field(factory=dict)
    exports: tuple[str, ...] = ()
    workflows: int = 0
    failures: tuple[Failure, ...] = ()


def check(path: str, content: bytes, rules: Sequence[Rule], settings: Settings, read: Read) -> Checked:
    """Check a file.

    `read` gets the digests of the other files that were looked at for it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What Python has to say of "\d" is not asked for here.
        try:
            return _checked(path, content, rules, settings, read)
        except _NotPython as error:
            return unreadable(path, content, error.reason)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other files are still checked)
            return Checked(path, failures=(Failure.of("compiler", path, error),))


class _NotPython(Exception):
    """A file that Python could not load either."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


def unreadable(path: str, content: bytes, error: Exception) -> Checked:
    """What is known of a file that is not Python, or cannot be read at all."""
    from flowgraph.lint.rules.syntax_error import SyntaxErrorInFile

    rule = SyntaxErrorInFile()
    found = rule.of_file(path, *_told(content, error))
    return Checked(path, (found,), tuple(_comments(content, None)))


def comments_in(content: bytes) -> tuple[Comment, ...]:
    """The comments of a file that is not checked itself, but in which something was found."""
    try:
        text = decode_source(content)
        return tuple(_comments(content, ast.parse(text), text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return tuple(_comments(content, None))


def _checked(path: str, content: bytes, rules: Sequence[Rule], settings: Settings, read: Read) -> Checked:
    text = _parsed(lambda: decode_source(content))
    if mentions(content) and not any(word in content for word in _WORDS):  # It calls no step, and needs no compiler.
        tree = _parsed(lambda: ast.parse(text, path))
        return Checked(path, comments=tuple(_comments(content, tree, text)), exports=tuple(_imported(tree)))

    from flowgraph.compiler import Project, Unit
    from flowgraph.lint.module import Module

    module = Module(_parsed(lambda: Unit(text, path, Project(read))), settings)
    workflows = len(list(module.unit.workflows()))
    results = _Results(path)
    if workflows or module.calls:
        results.take(module, rules)
    return Checked(
        path, tuple(results.findings), tuple(_comments(content, module.unit.tree, text)), results.facts,
        tuple(_exports(module.unit)), workflows, tuple(results.failures),
    )  # fmt: skip


def _parsed(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _NotPython(error) from None


class _Results:
    """What the rules say, one after the other; one that breaks does not keep the others from theirs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.findings: list[Diagnostic] = []
        self.facts: dict[str, Any] = {}
        self.failures: list[Failure] = []

    def take(self, module: Module, rules: Sequence[Rule]) -> None:
        """Ask all rules; where the compiler breaks, none of them has anything to go by."""
        for flow in module.flows:
            assert flow.control is not None
        for rule in rules:
            try:
                self._ask(rule, module)
            except Exception as error:  # noqa: BLE001 (whatever it is, the other rules are still asked)
                self._broke(rule.code, error)

    def _ask(self, rule: Rule, module: Module) -> None:
        from flowgraph.lint.rule import ProjectRule

        self.findings += [self._own(found) for found in rule.check(module)]
        if isinstance(rule, ProjectRule) and (facts := rule.facts(module)):
            self.facts[rule.code] = facts

    def _own(self, found: Diagnostic) -> Diagnostic:
        """A finding in another file is mended when that file is checked."""
        return found if found.path == self._path or found.fix is None else attrs.evolve(found, fix=None)

    def _broke(self, part: str, error: Exception) -> None:
        self.failures.append(Failure.of(part, self._path, error))


# What is said of a file that is not Python ----------------------------------------------------------------------------


def _told(content: bytes, error: Exception) -> tuple[str, int, int]:
    """A message with its line and column."""
    if b"\0" in content:
        before = content[: content.index(b"\0")]
        return "the file has null bytes", before.count(b"\n") + 1, len(before.rpartition(b"\n")[2]) + 1
    match error:
        case UnicodeDecodeError():
            line = error.object.count(b"\n", 0, error.start) + 1
            return f"the file is not {error.encoding}: {error.reason}", line, 1
        case SyntaxError():
            return error.msg or "invalid syntax", max(error.lineno or 1, 1), max(error.offset or 1, 1)
        case RecursionError() | MemoryError():
            return "the file is nested too deeply to be read", 1, 1
        case OSError():
            return f"the file cannot be read: {error.strerror or error}", 1, 1
    return str(error), 1, 1


def _comments(content: bytes, tree: ast.Module | None, text: str | None = None) -> list[Comment]:
    if not may_have_comments(content):
        return []
    return comments_of(content.decode(errors="replace") if text is None else text, tree)


# What a file gives on -------------------------------------------------------------------------------------------------


def _imported(tree: ast.Module) -> Iterator[str]:
    """The names by which a file without any step may give flowgraph on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            for alias in node.names:
                if "flowgraph" in f"{module}.{alias.name}":
                    yield from ("step", "workflow") if alias.name == "*" else [alias.asname or alias.name]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _exports(unit: Unit) -> Iterator[str]:
    """The names of a file that mean a word of the language, a step, or a class that may have steps."""
    from flowgraph.compiler import Class, Defined, Foreign, words

    for name in sorted(unit.names.bound):
        match unit.names.meaning_of(ast.Name(name, ast.Load())):
            case Foreign(name=full):
                if full in _MODULES or words.step_kind(full) or words.is_workflow_decorator(full):
                    yield name
            case Defined() as defined if words.step_decorator(defined) is not None:
                yield name
            case Class(node=node) if any(getattr(part, "decorator_list", ()) for part in node.body):
                yield name
