"""FG303."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from flowgraph.compiler import FunctionNode
from flowgraph.lint.analysis.durable import Reached, reached
from flowgraph.lint.analysis.exceptions import takes_everything, takes_failures
from flowgraph.lint.analysis.origins import origin, shown
from flowgraph.lint.analysis.passing import Way, Ways, ways_through
from flowgraph.lint.analysis.swallowing import swallows_by_leaving
from flowgraph.lint.rule import Rule, related
from flowgraph.model.diagnostic import Diagnostic, Edit, Fix
from flowgraph.model.graph import Span

if TYPE_CHECKING:
    from flowgraph.compiler import Names
    from flowgraph.lint.module import Module

_TRIES: tuple[type[ast.Try | ast.TryStar], ...] = (ast.Try, ast.TryStar)
_SUPPRESS = "contextlib.suppress()"
_CATCH_LESS = "Catch `Exception`, which lets suspending, failing and aborting pass, or end the handler with `raise`."
_RAISE = "End the handler with `raise`: what is an `Exception` is caught before it."
_SUPPRESS_LESS = "Suppress `Exception`, which lets suspending, failing and aborting pass."
_LEAVE_LATER = "Leave the function or the loop after the `try`, not in its `finally`."


@attrs.frozen
class _Swallowing:
    """A place that does not let the exception pass: what it does to it, and what becomes of it, if anything."""

    place: ast.AST | Span
    does: str
    help: str
    becomes: str = ""
    fix: Fix | None = None


class SwallowedControlFlow(Rule):
    """Code catches the exceptions by which a run suspends, fails and aborts.

    ## What it does

    Looks for steps inside a `try` with a bare `except:` or `except BaseException`, inside
    `contextlib.suppress(BaseException)`, and inside a `try` whose `finally` leaves with `return`, `break` or
    `continue`. Handlers that raise the exception again on every way that it can take are fine, and so are those that
    tell it apart: `if not isinstance(error, Exception): raise`.

    ## Why is this bad?

    A run that suspends, fails or aborts is unwound by an exception that is not an `Exception`. The run does suspend or
    fail, whatever the code catches; but the code behind the `except` runs in between, each time, as if the step had
    failed. Where another exception is raised in its place, that code believes in a failure that there was not.

    ## Example

    ```python
    try:
        await step.sleep("wait-a-day", "1d")
    except BaseException:
        await notify("the day is lost")
    ```

    ## Use instead

    ```python
    try:
        await step.sleep("wait-a-day", "1d")
    except Exception:
        await notify("the day is lost")
    ```
    """

    code = "FG303"
    name = "swallowed-control-flow"
    severity = "error"
    VALID = (
        """
        import logging
        import sys

        @workflow
        async def flow() -> None:
            try:
                await step("a", work)
            except Exception:
                pass
            try:
                await step("b", work)
            except StepFailed:
                pass
            except BaseException:
                logging.exception("ended")
                raise
            try:
                await step("c", work)
            except BaseException as error:
                if not isinstance(error, Exception):
                    raise
            try:
                await step("e", work)
            except BaseException:
                step.fail("no e")
            try:
                await step("f", work)
            except:
                sys.exit(1)
        """,
        """
        # Every way out raises it again, or those do that an Exception does not take.
        import asyncio
        import logging

        @workflow
        async def flow(times: int) -> None:
            try:
                await step("a", work)
            except BaseException as error:
                logging.info("cleaning up")
                raise
            try:
                await step("b", work)
            except BaseException as error:
                if not isinstance(error, Exception):
                    raise
                logging.info(error)
            try:
                await step("c", work)
            except BaseException as error:
                if isinstance(error, Exception):
                    logging.info(error)
                else:
                    raise error
            try:
                await step("d", work)
            except BaseException as error:
                if isinstance(error, (ValueError, StepFailed)):
                    raise RuntimeError("no d") from error
                raise
            try:
                await step("e", work)
            except BaseException as error:
                if times and isinstance(error, OSError):
                    return
                raise error.with_traceback(None)
            try:
                await step("f", work)
            except BaseException as error:
                match error:
                    case Exception():
                        logging.info(error)
                    case _:
                        raise
            try:
                await step("g", work)
            except BaseException:
                try:
                    logging.info("cleaning up")
                finally:
                    raise
            try:
                await step("h", work)
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) or not isinstance(error, Exception):
                    raise
            try:
                await step("i", work)
            except BaseException as error:
                if type(error).__module__.startswith("flowgraph"):
                    raise
            try:
                await step("j", work)
            except BaseException as error:
                with logging.catch():
                    raise
            try:
                await step("k", work)
            except BaseException as error:
                while True:
                    logging.info("again")
                    if times:
                        raise
            try:
                await step("l", work)
            except BaseException as error:
                wrong = isinstance(error, Exception)
                if not wrong:
                    raise
        """,
        """
        # What is caught before it does not come here.
        @workflow
        async def flow() -> None:
            try:
                await step("a", work)
            except Exception:
                pass
            except BaseException as error:
                raise error
            try:
                await step("b", work)
            except BaseException:
                raise
            except Exception:
                pass
        """,
        """
        def parse(text: str) -> object:
            try:
                return int(text)
            except BaseException:
                return None

        def give_up(error: BaseException) -> None:
            raise error

        @workflow
        async def flow(text: str) -> None:
            try:
                number = parse(text)
            except:
                number = None
            await step("a", work, number)
            try:
                await step("b", work)
            except BaseException as error:
                give_up(error)
            try:
                pass
            except BaseException:
                await step("c", work)
            else:
                await step("d", work)
        """,
        """
        # A task that was cancelled on purpose.
        @workflow
        async def flow() -> None:
            task = asyncio.create_task(step("a", work))
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
        """,
        """
        # It is raised later, or somewhere else.
        @workflow
        async def flow() -> object:
            failure = None
            try:
                await step("a", work)
            except BaseException as error:
                failure = error
            if failure is not None:
                raise failure
            future = asyncio.get_running_loop().create_future()
            try:
                await step("b", work)
            except BaseException as error:
                future.set_exception(error)
            return await future
        """,
        """
        # Not awaited here; a class of its own; a handler in which no step is.
        class BaseException(ValueError): ...

        def parse() -> None:
            try:
                int("x")
            except:
                pass

        @workflow
        async def flow() -> None:
            try:
                await step("a", parse)
            except BaseException:
                pass
        """,
        """
        @workflow
        async def flow(n: int) -> None:
            try:
                task = asyncio.create_task(step("a", work))
            except BaseException:
                return
            await task

            async def later() -> None:
                await step("b", work)

            try:
                made = [later for _ in range(n)]
            except:
                made = []
            for one in made[:1]:
                await one()
        """,
        """
        import contextlib

        @workflow
        async def flow(items: list[int]) -> None:
            with contextlib.suppress(Exception):
                await step("a", work)
            for item in items:
                try:
                    await step(f"b-{item}", work)
                finally:
                    for _ in items:
                        break
        """,
    )
    INVALID = (
        """
        import logging

        @workflow
        async def flow() -> None:
            try:
                await step("a", work)
            except:  # FG303
                pass
            try:
                await step.sleep("b", "1d")
            except BaseException:  # FG303
                logging.exception("ended")
            try:
                await step.listen("c")
            except StepFailed:
                pass
            except (ValueError, BaseException) as error:  # FG303
                print(error)
        """,
        """
        import builtins
        import flowgraph as fg
        from flowgraph import step as s

        @fg.workflow
        async def flow() -> object:
            try:
                await fg.step("a", work)
            except builtins.BaseException as error:  # FG303
                return {"error": str(error)}
            try:
                await asyncio.gather(s("b", work), s("c", work))
            except:  # FG303
                return None
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(s("d", work))
            except* BaseException:  # FG303
                pass
        """,
        """
        async def charge() -> None:
            await step("charge", work)

        @step("refund")
        async def refund() -> None: ...

        @workflow
        async def flow() -> None:
            try:
                await charge()
            except:  # FG303
                pass
            try:
                await refund()
            except BaseException:  # FG303
                pass
        """,
        """
        # In helpers, in handlers with steps, and in plain ones that end the run.
        async def charge() -> None:
            try:
                await step("charge", work)
            except:  # FG303
                pass

        def check(amount: int) -> None:
            try:
                if amount < 0:
                    step.fail("no amount")
            except BaseException as error:  # FG303
                print(error)

        @workflow
        async def flow(amount: int) -> None:
            await step("check", check, amount)
            await step("pay", charge)
        """,
        """
        @workflow
        async def flow(tries: int) -> object:
            errors = []
            for number in range(tries):
                try:
                    await step(f"a-{number}", work)
                except BaseException as error:  # FG303
                    errors.append(error)
            try:
                task = asyncio.create_task(step("b", work))
                await task
            except BaseException:  # FG303
                pass
            return len(errors)
        """,
        """
        import contextlib
        from contextlib import suppress

        @workflow
        async def flow(items: list[int]) -> int:
            with contextlib.suppress(BaseException):  # FG303
                await step("a", work)
            with suppress(ValueError, BaseException):  # FG303
                await step("b", work)
            for item in items:
                try:
                    await step(f"c-{item}", work)
                finally:
                    continue  # FG303
            try:
                await step("d", work)
            finally:
                return 1  # FG303
        """,
        """
        # The run's own exceptions become others, or get lost on one way.
        import logging

        @workflow
        async def flow(times: int) -> None:
            try:
                await step("a", work)
            except BaseException as error:  # FG303
                raise ValueError("no a") from error
            try:
                await step("b", work)
            except:  # FG303
                raise RuntimeError("no b")
            try:
                await step("c", work)
            except BaseException as error:  # FG303
                if isinstance(error, ValueError):
                    raise
            try:
                await step("d", work)
            except BaseException as error:  # FG303
                if isinstance(error, Exception):
                    raise
                logging.info(error)
            try:
                await step("e", work)
            except BaseException as error:  # FG303
                if not isinstance(error, Exception):
                    logging.info(error)
                else:
                    raise
            try:
                await step("f", work)
            except BaseException as error:  # FG303
                if isinstance(error, (OSError, StepFailed)):
                    raise RuntimeError("no f") from error
                else:
                    raise RuntimeError("no f either") from error
            try:
                await step("g", work)
            except Exception:
                pass
            except BaseException:  # FG303
                if times:
                    raise
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """Every ``try`` and ``with`` of the file, in workflows, helpers and handlers."""
        found = [*self._tries(module), *self._suppressing(module)]
        yield from sorted(found, key=lambda one: (one.line, one.column))

    def _tries(self, module: Module) -> Iterator[Diagnostic]:
        for kind in _TRIES:
            for node, names, function in module.each(kind):
                ways = [] if function is None else list(self._ways(module, node, names, function))
                step = _awaited(node.body, names, function) if ways and function is not None else None
                if step is not None:
                    yield from (self._swallowed(module, way, node, step) for way in ways)

    def _ways(
        self, module: Module, node: ast.Try | ast.TryStar, names: Names, function: FunctionNode
    ) -> Iterator[_Swallowing]:
        """How a ``try`` swallows what its body raises."""
        catching = next((one for one in node.handlers if takes_everything(one.type, names)), None)
        if catching is not None and (ways := ways_through(catching, function, names)):
            yield _caught(module, catching, ways, node.handlers[: node.handlers.index(catching)], names)
        for statement in swallows_by_leaving(node.finalbody):
            word = type(statement).__name__.lower()
            yield _Swallowing(statement, f"`{word}` in `finally` swallows", _LEAVE_LATER)

    def _suppressing(self, module: Module) -> Iterator[Diagnostic]:
        for node, names, function in module.each(ast.With):
            for item in node.items:
                call = item.context_expr
                if function is None or not isinstance(call, ast.Call) or origin(call, names) != _SUPPRESS:
                    continue
                if not any(takes_everything(argument, names) for argument in call.args):
                    continue
                if (step := _awaited(node.body, names, function)) is not None:
                    yield self._swallowed(
                        module, _Swallowing(call, f"`{shown(call)}` swallows", _SUPPRESS_LESS), node, step
                    )

    def _swallowed(self, module: Module, way: _Swallowing, node: ast.AST, found: Reached) -> Diagnostic:
        what = f"the exception by which step {found.step.label} suspends or ends the run"
        message = f"{way.does} {what}{way.becomes}"
        return self.found(
            module.unit, way.place, message, help=way.help, workflow=module.workflow_of(node),
            step=str(found.step.template or "") or None,
            related=[related(module.unit, found.node, "it comes from here")], fix=way.fix,
        )  # fmt: skip


def _awaited(body: list[ast.stmt], names: Names, function: FunctionNode) -> Reached | None:
    return next((found for found in reached(body, names, function) if found.awaited), None)


def _caught(
    module: Module, handler: ast.ExceptHandler, ways: Ways, before: list[ast.ExceptHandler], names: Names
) -> _Swallowing:
    """What is wrong with a handler that does not let the exception pass on all `ways`."""
    text = "except:" if handler.type is None else f"except {ast.unparse(handler.type)}"
    does, becomes = ("turns", " into a failure") if ways == {Way.TURNS} else ("swallows", "")
    is_dead = any(takes_failures(one.type, names) for one in before)  # If it caught less.
    help_, fix = (_RAISE, None) if is_dead else (_CATCH_LESS, _fix(module, handler))
    return _Swallowing(_head(module, handler), f"`{text}` {does}", help_, becomes, fix)


def _head(module: Module, handler: ast.ExceptHandler) -> Span:
    """The place of ``except`` and of what it catches."""
    whole = module.unit.span(handler)
    if handler.type is None:
        return Span(whole.line, whole.column, whole.line, whole.column + len("except"))
    caught = module.unit.span(handler.type)
    return Span(whole.line, whole.column, caught.end_line, caught.end_column)


def _fix(module: Module, handler: ast.ExceptHandler) -> Fix | None:
    """Catch ``Exception`` instead; not where it is one of several."""
    if isinstance(handler.type, ast.Tuple):
        return None
    place = _head(module, handler) if handler.type is None else module.unit.span(handler.type)
    text = "except Exception" if handler.type is None else "Exception"
    edit = Edit(place.line, place.column, place.end_line, place.end_column, text)
    return Fix("Catch `Exception` instead", (edit,))
