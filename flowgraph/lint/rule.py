"""What a rule is. Each is one file in `rules`: its class, the documentation, and the cases that prove it.

The docstring of a rule is its page: what it does, why that is bad, an example, and what to use instead. `VALID` are
sources that it accepts; in a source of `INVALID` each line that it complains of ends with a comment that begins with
its code. `PRELUDE` stands before each of them. Tests and the pages of the documentation are made from these.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from textwrap import dedent
from typing import TYPE_CHECKING, Any, ClassVar

from flowgraph.model.diagnostic import Diagnostic, Fix, Related, Severity
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.compiler import Unit
    from flowgraph.lint.module import Module, StepCall
    from flowgraph.lint.suppressions import Comment, Verdict

PRELUDE = """\
import asyncio
from flowgraph import StepFailed, step, workflow

async def work(*args: object) -> object: ...

"""


class Rule:
    """One check, with a code that is never used again for another one.

    Attributes:
        code: FG and three digits. The first says the family: 1 names, 2 calls, 3 ways through, 4 replay, 5 options, 6
            the project, 9 the lint itself.
        name: what is wrong, in kebab case.
        severity: errors fail the lint; warnings do with ``--strict``; info is shown when selected and never counts.
        on: whether it is selected where nothing is said.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    on: ClassVar[bool] = True
    VALID: ClassVar[tuple[str, ...]] = ()
    INVALID: ClassVar[tuple[str, ...]] = ()

    def check(self, module: Module) -> Iterable[Diagnostic]:
        """What is wrong in one file. The file is not run, and nothing else is read."""
        raise NotImplementedError

    def found(
        self,
        unit: Unit,
        place: ast.AST | Span,
        message: str,
        *,
        help: str = "",  # noqa: A002 (the field's name)
        workflow: str | None = None,
        step: str | None = None,
        related: Iterable[Related] = (),
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A finding of this rule at a place of a file."""
        span = place if isinstance(place, Span) else unit.span(place)
        return Diagnostic(
            self.code, self.name, self.severity, message, unit.path, span.line, span.column, span.end_line,
            span.end_column, workflow, step, help, tuple(related), fix,
        )  # fmt: skip

    def of_call(
        self,
        module: Module,
        call: StepCall,
        message: str,
        *,
        help: str = "",  # noqa: A002 (the field's name)
        related: Iterable[Related] = (),
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A finding of this rule about a call of the language, at its name."""
        return self.found(
            call.names.unit, call.place, message, help=help, workflow=module.workflow_of(call.node), step=call.step,
            related=related, fix=fix,
        )  # fmt: skip

    @property
    def is_on(self) -> bool:
        """Whether it is checked where nothing is selected: info never is."""
        return self.on and self.severity != "info"

    @classmethod
    def summary(cls) -> str:
        """What is wrong, in one sentence."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def explanation(cls) -> str:
        """The page of the rule, as Markdown."""
        head, _, rest = (cls.__doc__ or "").partition("\n")
        return f"{head}\n{dedent(rest)}".strip()


class ProjectRule(Rule):
    """A rule that has to see all files: it gathers facts from each, which are kept as JSON, and concludes from them."""

    def check(self, module: Module) -> Iterable[Diagnostic]:
        """Nothing that one file alone shows."""
        del module
        return ()

    def facts(self, module: Module) -> Any:
        """What has to be known of one file, as JSON values; a false value where there is nothing."""
        raise NotImplementedError

    def conclude(self, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """What is wrong in the whole, from the facts by the paths of the files."""
        raise NotImplementedError


class CommentRule(Rule):
    """A rule about the comments that accept findings: it is asked when all findings are known."""

    def check(self, module: Module) -> Iterable[Diagnostic]:
        """Nothing that the code of a file shows."""
        del module
        return ()

    def judge(self, path: str, verdict: Verdict) -> Iterator[Diagnostic]:
        """What is wrong with one comment."""
        raise NotImplementedError

    def of_comment(
        self,
        path: str,
        comment: Comment,
        message: str,
        *,
        help: str,  # noqa: A002 (the field's name)
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A finding of this rule at a comment."""
        return Diagnostic(
            self.code, self.name, self.severity, message, path, comment.line, comment.column, comment.line,
            comment.end_column, help=help, fix=fix,
        )  # fmt: skip


def related(unit: Unit, place: ast.AST | Span, message: str) -> Related:
    """Another place of a finding."""
    span = place if isinstance(place, Span) else unit.span(place)
    return Related(unit.path, span.line, span.column, message)


def source_of(case: str) -> str:
    """A case of a rule as the text of a file."""
    return PRELUDE + dedent(case).lstrip("\n")
