"""The exact check of names: which steps can have the same path in one run, case by case."""

from __future__ import annotations

import pytest

from flowgraph.compiler import Unit
from flowgraph.model.diagnostic import Diagnostic
from tests.compiler.walks import HEAD

CASES = [
    ("twice in a row", 'await step("a",f)\nawait step("a",f)', "", "FG101"),
    ("the arms of an if", 'if c:\n    await step("a",f)\nelse:\n    await step("a",f)', "", ""),
    ("after the if again", 'if c:\n    await step("a",f)\nawait step("a",f)', "", "FG101"),
    ("after an early return", 'if c:\n    await step("a",f)\n    return\nawait step("a",f)', "", ""),
    ("a try and its except", 'try:\n    await step("a",f)\nexcept StepFailed:\n    await step("a",f)', "", "FG101"),
    (
        "two except clauses",
        (
            'try:\n    await step("x",f)\nexcept StepFailed:\n    await step("a",f)\n'
            'except ValueError:\n    await step("a",f)'
        ),
        "",
        "",
    ),
    (
        "a try and its else",
        'try:\n    await step("a",f)\nexcept StepFailed:\n    pass\nelse:\n    await step("a",f)',
        "",
        "FG101",
    ),
    ("a try and its finally", 'try:\n    await step("a",f)\nfinally:\n    await step("a",f)', "", "FG101"),
    ("twice in one gather", 'await asyncio.gather(step("a",f),step("a",f))', "", "FG101"),
    ("a helper that is called twice", "await h()\nawait h()", "async def h():\n    await step('a',f)\n", "FG101"),
    (
        "a loop that tries again",
        'for i in range(3):\n    try:\n        await step("a",f)\n        break\n    except StepFailed:\n        pass',
        "",
        "FG305",
    ),
    (
        "a loop that tries again until a flag says so",
        (
            'ok = False\nwhile not ok:\n    try:\n        await step("a",f)\n        ok = True\n'
            "    except StepFailed:\n        pass"
        ),
        "",
        "FG305",
    ),
    (
        "a loop that goes on until a flag says that it has failed",
        (
            'bad = False\nwhile not bad:\n    try:\n        await step("a",f)\n'
            "    except StepFailed:\n        bad = True"
        ),
        "",
        "FG102",
    ),
    ("a constant in a loop", 'for x in xs:\n    await step("a",f)', "", "FG102"),
    ("a break right after the step", 'for x in xs:\n    await step("a",f)\n    break', "", ""),
    ("the target of the loop", 'for x in xs:\n    await step(f"a-{x}",f)', "", ""),
    ("an attribute of the target", 'for x in xs:\n    await step(f"a-{x.id}",f)', "", ""),
    ("a parameter in a loop", 'for x in xs:\n    await step(f"a-{n}",f)', "", "FG103"),
    ("what is made of the target", 'for x in xs:\n    y = x.id\n    await step(f"a-{y}",f)', "", ""),
    (
        "a counter by a constant",
        'i = 0\nwhile c:\n    await step(f"a-{i}",f)\n    i += SIZE',
        "SIZE = 100\n",
        "FG104",
    ),
    ("a delay that grows", 'i = 1\nwhile c:\n    await step(f"a-{i}",f)\n    i *= 2', "", "FG104"),
    ("a window", 'i, j = 0, 9\nwhile c:\n    await step(f"a-{i}",f)\n    i, j = j, j + 10', "", ""),
    ("two counters at once", 'i, j = 0, 0\nwhile c:\n    await step(f"a-{i}",f)\n    i, j = i + 1, j + 9', "", ""),
    ("a slice of the target", 'for x in xs:\n    await step(f"a-{x[:3]}",f)', "", "FG104"),
    ("a format that is not exact", 'for x in xs:\n    await step(f"a-{x:%Y}",f)', "", "FG104"),
    ("a display that has a value twice", 'for x in ("b", "b"):\n    await step(f"a-{x}",f)', "", "FG103"),
    ("round and round", 'for x in itertools.cycle(xs):\n    await step(f"a-{x}",f)', "import itertools\n", "FG104"),
    ("a counter", 'i = 0\nwhile c:\n    await step(f"a-{i}",f)\n    i += 1', "", ""),
    (
        "a counter that a path skips",
        'i = 0\nwhile c:\n    await step(f"a-{i}",f)\n    if n:\n        continue\n    i += 1',
        "",
        "FG103",
    ),
    (
        "a path that skips counter and step",
        'i = 0\nfor x in xs:\n    if n:\n        continue\n    i += 1\n    await step(f"a-{i}",f)',
        "",
        "",
    ),
    (
        "a counter that is set back",
        'i = 0\nwhile c:\n    await step(f"a-{i}",f)\n    i += 1\n    if n:\n        i = 0',
        "",
        "FG103",
    ),
    ("the target of the inner loop only", 'for x in xs:\n    for y in n:\n        await step(f"a-{y}",f)', "", "FG103"),
    ("the targets of both loops", 'for x in xs:\n    for y in n:\n        await step(f"a-{x}-{y}",f)', "", ""),
    ("targets that run together", 'for x in xs:\n    for y in n:\n        await step(f"a-{x}{y}",f)', "", "FG104"),
    (
        "a value from a step",
        (
            'cursor = None\nwhile True:\n    page = await step(f"p-{cursor}", f)\n'
            "    if not page.next:\n        break\n    cursor = page.next"
        ),
        "",
        "FG104",
    ),
    (
        "two loops over the same items",
        'for x in xs:\n    await step(f"a-{x}",f)\nfor y in xs:\n    await step(f"a-{y}",f)',
        "",
        "FG101",
    ),
    (
        "two loops over different items",
        'for x in xs:\n    await step(f"a-{x}",f)\nfor y in n:\n    await step(f"a-{y}",f)',
        "",
        "FG104",
    ),
    ("different expressions", 'await step(f"n-{c}",f)\nawait step(f"n-{n}",f)', "", "FG104"),
    ("the same expression twice", 'await step(f"n-{c}",f)\nawait step(f"n-{c}",f)', "", "FG101"),
    ("a number and a word", 'for i in range(3):\n    await step(f"p-{i}",f)\nawait step("p-count",f)', "", ""),
    (
        "the arms of an if in a loop",
        'for x in xs:\n    if c:\n        await step(f"a-{x}",f)\n    else:\n        await step(f"a-{x}",f)',
        "",
        "",
    ),
    (
        "a helper with different arguments",
        'await h("x")\nawait h("y")',
        "async def h(k):\n    await step(f'a-{k}',f)\n",
        "",
    ),
    (
        "a helper with the same argument twice",
        "await h(n)\nawait h(n)",
        "async def h(k):\n    await step(f'a-{k}',f)\n",
        "FG101",
    ),
    (
        "a helper with a loop, called twice",
        "await h()\nawait h()",
        "XS=[1,2]\nasync def h():\n    for x in XS:\n        await step(f'a-{x}',f)\n",
        "FG101",
    ),
    (
        "a helper that is given the target",
        "for x in xs:\n    await h(x)",
        "async def h(k):\n    await step(f'a-{k}',f)\n",
        "",
    ),
    (
        "a helper that is given a parameter in a loop",
        "for x in xs:\n    await h(n)",
        "async def h(k):\n    await step(f'a-{k}',f)\n",
        "FG103",
    ),
    (
        "a helper that counts down",
        "await h(n)",
        "async def h(k):\n    if k:\n        await step(f'a-{k}',f)\n        await h(k - 1)\n",
        "",
    ),
    (
        "a helper that calls itself twice",
        "await h(n)",
        "async def h(k):\n    if k:\n        await step(f'a-{k}',f)\n        await h(k - 1)\n        await h(k - 2)\n",
        "FG103",
    ),
    ("a remainder", 'for x in xs:\n    await step(f"a-{x % 2}",f)', "", "FG104"),
    ("a gather over items", 'await asyncio.gather(*[step(f"a-{x}",f) for x in xs])', "", ""),
    ("a constant in a gather over items", 'await asyncio.gather(*[step("a",f) for x in xs])', "", "FG102"),
    ("a constant in tasks", 'ts=[]\nfor x in xs:\n    ts.append(asyncio.create_task(step("a",f)))', "", "FG102"),
    (
        "the target in tasks",
        'ts=[]\nfor x in xs:\n    ts.append(asyncio.create_task(step(f"a-{x}",f)))\nawait asyncio.gather(*ts)',
        "",
        "",
    ),
    ("a task and what runs beside it", 't=asyncio.create_task(step("a",f))\nawait step("a",f)\nawait t', "", "FG101"),
    ("the target after its loop", 'for x in xs:\n    await step(f"a-{x}",f)\nawait step(f"a-{x}",f)', "", "FG101"),
    ("what a call makes of the target", 'for x in xs:\n    y = g(x)\n    await step(f"a-{y}",f)', "", "FG104"),
    (
        "the number of enumerate",
        'for i, x in enumerate(xs):\n    await step(f"a-{i}",f)\n    await step(f"b-{i+1}",f)',
        "",
        "",
    ),
    (
        "a continue",
        'for x in xs:\n    if c:\n        await step(f"a-{x}",f)\n        continue\n    await step(f"a-{x}",f)',
        "",
        "",
    ),
    (
        "the cases of a match",
        'match n:\n    case 1:\n        await step("a",f)\n    case _:\n        await step("a",f)',
        "",
        "",
    ),
    ("a conditional expression", 'x = (await step("a",f)) if c else (await step("a",g))', "", ""),
    (
        "one name below two parents",
        'await step("p", lambda: step("c", f))\nawait step("q", lambda: step("c", f))',
        "",
        "",
    ),
    (
        "progress",
        'await step.progress("x")\nawait step.progress("x")\nfor y in xs:\n    await step.progress("x")',
        "",
        "",
    ),
    ("a name that is made before", 'for x in xs:\n    key = f"k-{x}"\n    await step(key,f)', "", ""),
    (
        "names that are made of a counter",
        (
            'k = 0\nwhile True:\n    k = k + 1\n    name = f"poll-{k}"\n    r = await step(name,f)\n'
            '    if r:\n        break\n    await step.sleep(f"wait-{k}", 5)'
        ),
        "",
        "",
    ),
    (
        "a counter of failures",
        'k = 0\nwhile True:\n    try:\n        return await step(f"a-{k}",f)\n    except StepFailed:\n        k += 1',
        "",
        "",
    ),
    (
        "a counter in both arms",
        (
            'k = 0\nfor x in xs:\n    if c:\n        k += 1\n        await step(f"a-{k}",f)\n    else:\n'
            '        k += 1\n        await step(f"a-{k}",f)'
        ),
        "",
        "",
    ),
    ("a constant in a variable", 'name = "a"\nawait step(name,f)\nawait step("a",f)', "", "FG104"),
    ("items of items", 'for p in xs:\n    for u in p.users:\n        await step(f"u-{u.id}",f)', "", "FG104"),
    ("a variable twice", "await step(n, f)\nawait step(n, f)", "", "FG104"),
    ("a variable in a loop", "for x in xs:\n    await step(n, f)", "", "FG104"),
    ("a target as it is", "for x in xs:\n    await step(x, f)", "", ""),
    ("a call twice", "await step(n(), f)\nawait step(n(), f)", "", "FG104"),
    (
        "a variable that a loop tries again",
        "while True:\n    try:\n        return await step(n, f)\n    except ValueError:\n        pass",
        "",
        "FG305",
    ),
    ("a counter that does not count", 'i = 0\nfor x in xs:\n    await step(f"a-{i}", f)', "", "FG103"),
    ("a format", 'for i in range(3):\n    await step("a-{0:>3}".format(i), f)\nawait step("b", f)', "", ""),
    ("a variable beside other names", 'await step(n, f)\nawait step("a", f)\nawait step("b", f)', "", "FG104"),
    (
        "an else after a loop that tries again",
        (
            "for x in xs:\n    try:\n        r = await step('a', f)\n"
            "    except ValueError:\n        continue\n    else:\n"
            "        break"
        ),
        "",
        "FG305",
    ),
]


NO_NAME = "Put what differs in each pass into the name, such as a number that is counted up."


def findings(body: str, before: str = "") -> list[Diagnostic]:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    unit = Unit(f"{HEAD}{before}\n@workflow\nasync def flow(c, n, xs):\n{lines}", "flow.py")
    return [found for flow in unit.flows() for found in flow.diagnostics]


@pytest.mark.parametrize(("body", "before", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_names_that_meet_are_found_and_no_others(body: str, before: str, codes: str) -> None:
    assert " ".join(found.code for found in findings(body, before)) == codes


def test_a_finding_tells_both_places_and_the_way_between_them() -> None:
    body = 'try:\n    await step("charge", f)\nexcept ValueError:\n    await step("charge", g)'
    [found] = findings(body)
    assert found.message == 'step "charge" can run twice in one run of flow'
    assert (found.name, found.severity, found.workflow, found.step) == (
        "duplicate-step-name", "error", "flow", "charge"
    )  # fmt: skip
    [first] = found.related
    assert (found.line - first.line, found.column, found.end_column, first.column) == (2, 20, 28, 20)
    assert found.label == f"reached from line {first.line} through `except ValueError` (line {first.line + 1})"


def test_what_runs_side_by_side_is_said_to() -> None:
    [found] = findings('await asyncio.gather(step("a", f), step("a", f))')
    assert found.label == f"runs beside line {found.line}"


def test_a_helper_that_is_called_twice_is_found_at_the_second_call() -> None:
    [found] = findings("await twice()\nawait twice()", 'async def twice():\n    await step("a", f)\n')
    assert found.message == 'twice() runs step "a" a second time in one run of flow'
    assert found.line > found.related[0].line
    assert found.related[0].message == "the step, whose saved result is returned the second time"


def test_in_a_helper_that_a_loop_calls_the_call_is_told() -> None:
    [found] = findings("for x in xs:\n    await inner()", 'async def inner():\n    await step("a", f)\n')
    assert found.code == "FG102"
    assert [one.message for one in found.related] == ["called here: inner()"]


@pytest.mark.parametrize(
    ("body", "help_"),
    [
        ('for x in xs:\n    await step("a", f)', 'Put what differs into the name, for example f"a-{x}".'),
        ('for _, x in xs:\n    await step("a", f)', 'Put what differs into the name, for example f"a-{x}".'),
        ('async for x in n, c:\n    await step("a", f)', 'Put what differs into the name, for example f"a-{x}".'),
        ('for _ in xs:\n    await step("a", f)', NO_NAME),
        ('for c.x in xs:\n    await step("a", f)', NO_NAME),
        ('while c:\n    await step("a", f)', NO_NAME),
        ("for x in xs:\n    await inner()", "Give inner() a parameter that goes into the name."),
    ],
)
def test_the_help_for_a_constant_in_a_loop_names_no_variable_that_there_is_not(body: str, help_: str) -> None:
    [found] = findings(body, 'async def inner():\n    await step("a", f)\n')
    assert (found.code, found.help) == ("FG102", help_)


def test_places_are_counted_in_characters() -> None:
    found = findings('await step("a", f)\nx = "éé日本"; await step("a", f)')[0]
    assert found.column == len('    x = "éé日本"; await step(') + 1


def test_two_thousand_steps_are_checked() -> None:
    steps = "\n".join(f'await step("s{number}", f)' for number in range(2_000))
    assert [found.code for found in findings(f'{steps}\nawait step("s7", f)')] == ["FG101"]
