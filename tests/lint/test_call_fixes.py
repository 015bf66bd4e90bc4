"""The fixes of rules on calls: what they write, and where they leave the code to its author."""

from __future__ import annotations

import pytest

from flowgraph.compiler import Project, Unit
from flowgraph.lint.module import Module
from flowgraph.lint.rule import source_of
from flowgraph.lint.rules import all_rules
from flowgraph.lint.settings import Settings

HEAD = source_of(
    """
    async def fetch(url: str = "", times: int = 1) -> str: ...

    async def helper() -> None:
        await step("inner", work)

    @step("pay")
    async def pay() -> int: ...

    @workflow
    async def flow(url: str, order: Order) -> object:
    """
)


def mended(code: str, body: str) -> str | None:
    """A body of a workflow after the fix of the one finding in it; None where there is no fix."""
    text = HEAD + "".join(f"    {line}\n" for line in body.split("\n"))
    rule = next(rule for rule in all_rules() if rule.code == code)
    [found] = rule.check(Module(Unit(text, "case.py", Project()), Settings()))
    if found.fix is None:
        return None
    lines = text.split("\n")
    for edit in reversed(found.fix.edits):
        first, last = lines[edit.line - 1], lines[edit.end_line - 1]
        new = first[: edit.column - 1] + edit.text + last[edit.end_column - 1 :]
        lines[edit.line - 1 : edit.end_line] = new.split("\n")
    assert "\n".join(lines).startswith(HEAD)
    return "\n".join(line[4:] for line in lines[HEAD.count("\n") : -1])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('step("a", work)', 'await step("a", work)'),
        ('data = step("ä", work)  # load\nprint(url)', 'data = await step("ä", work)  # load\nprint(url)'),
        ('return step("a", work).upper()', 'return (await step("a", work)).upper()'),
        ('return step("a", work)[0]', 'return (await step("a", work))[0]'),
        ('return 2 ** step("a", work)', 'return 2 ** (await step("a", work))'),
        ('print(step("a", work))', 'print(await step("a", work))'),
        ('return step(\n    "a",  # the name\n    work,\n)', 'return await step(\n    "a",  # the name\n    work,\n)'),
        ('url and step("a", work)', 'url and await step("a", work)'),
        ('assert step("a", work), url', 'assert await step("a", work), url'),
        ('return {"a": step("a", work)}', 'return {"a": await step("a", work)}'),
        ('return [url, step("a", work)]', 'return [url, await step("a", work)]'),
        ('[step(f"a-{i}", work) for i in url]', '[await step(f"a-{i}", work) for i in url]'),
        ("pay()", "await pay()"),
        ('pay.named("b")()', 'await pay.named("b")()'),
        ("helper()", "await helper()"),
    ],
)
def test_an_await_is_written_before_the_call_of_a_step(before: str, after: str) -> None:
    assert mended("FG203", before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('await step("a", fetch())', 'await step("a", fetch)'),
        ('await step("a", fetch(url))', 'await step("a", fetch, url)'),
        ('await step("a", fetch(url, 3), timeout=5)', 'await step("a", fetch, url, 3, timeout=5)'),
        ('await step("a", fetch(order.url,))  # now', 'await step("a", fetch, order.url)  # now'),
        ('await step("a", await fetch(url))', 'await step("a", fetch, url)'),
        ('await step(\n    "a",\n    fetch(url),  # page\n)', 'await step(\n    "a",\n    fetch, url,  # page\n)'),
    ],
)
def test_a_called_handler_becomes_the_function_and_its_arguments(before: str, after: str) -> None:
    assert mended("FG205", before) == after


@pytest.mark.parametrize(
    "body",
    [
        'await step("a", fetch(times=2))',
        'await step("a", fetch(*url))',
        'await step("a", fetch(url + "/"))',
        'await step("a", (fetch(url)))',
        'await step("a", fetch(url), url)',
        'await step("a", fetch(  # the page\n    url))',
        'await step.map("a", fetch(url), [1])',
        'await step.transaction("a", fetch(url))',
        'await step.start_workflow("a", fetch(url))',
    ],
)
def test_a_called_handler_that_takes_more_than_moving_commas_is_left_to_its_author(body: str) -> None:
    assert mended("FG205", body) is None


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ('step("a", fetch(url, times=2))', "functools.partial(fetch, url, times=2)"),
        ('step.transaction("a", fetch(url))', "functools.partial(fetch, url)"),
        ('step.execute_workflow("a", fetch(url, times=2))', 'step.execute_workflow("a", fetch, url, times=2)'),
        ('step.start_workflow(f"a-{url}", fetch())', 'step.start_workflow(f"a-{url}", fetch)'),
    ],
)
def test_a_help_says_what_to_write_where_there_is_no_fix(line: str, instead: str) -> None:
    rule = next(rule for rule in all_rules() if rule.code == "FG205")
    text = f"{HEAD}    await {line}\n"
    [found] = rule.check(Module(Unit(text, "case.py", Project()), Settings()))
    assert found.help.replace("'", '"') == f"Pass the function and its arguments: {instead}."


def caught(*clauses: str) -> str:
    return "\n".join(['try:\n    await step("a", work)', *clauses])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (caught("except:\n    pass"), caught("except Exception:\n    pass")),
        (caught("except BaseException as e:\n    print(e)"), caught("except Exception as e:\n    print(e)")),
        (
            caught("except OSError:\n    raise", "except BaseException as e:\n    raise ValueError from e"),
            caught("except OSError:\n    raise", "except Exception as e:\n    raise ValueError from e"),
        ),
        (caught("except Exception:\n    pass", "except:\n    pass"), None),
        (caught("except (OSError, Exception):\n    raise", "except BaseException:\n    pass"), None),
    ],
)
def test_an_except_catches_less_unless_another_one_does_before_it(before: str, after: str | None) -> None:
    assert mended("FG303", before) == after


def test_behind_an_except_of_failures_the_help_is_to_raise() -> None:
    rule = next(rule for rule in all_rules() if rule.code == "FG303")
    text = HEAD + "".join(f"    {line}\n" for line in AFTER_FAILURES.split("\n"))
    [found] = rule.check(Module(Unit(text, "case.py", Project()), Settings()))
    assert found.help == "End the handler with `raise`: what is an `Exception` is caught before it."


AFTER_FAILURES = caught("except Exception:\n    pass", "except BaseException:\n    pass")
