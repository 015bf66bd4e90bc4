"""Every construct of Python, as a graph: which steps may follow which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowgraph.compiler import compile_file, compile_source
from flowgraph.errors import CompileError, InvalidOption
from flowgraph.model.graph import Graph
from tests.compiler.walks import graph_of, walks

BOTH = "from flowgraph import step, workflow"
A, B, C = (f'await step("{name}", f)' for name in "abc")

CONSTRUCTS = [
    ("one after the other", f"{A}\n{B}", {"a b"}),
    ("no steps", "pass", {""}),
    ("if", f"if c:\n    {A}\n{B}", {"a b", "b"}),
    ("if and else", f"if c:\n    {A}\nelse:\n    {B}\n{C}", {"a c", "b c"}),
    ("elif", f"if c:\n    {A}\nelif n:\n    {B}\nelse:\n    {C}", {"a", "b", "c"}),
    ("a step in an elif", f"if c:\n    {A}\nelif {B}:\n    pass\n{C}", {"a c", "b c"}),
    ("a step in a condition", f"if {A}:\n    {B}", {"a b", "a"}),
    ("a conditional expression", f"x = ({A}) if c else ({B})", {"a", "b"}),
    ("and", f"x = ({A}) and ({B})", {"a b", "a"}),
    ("or", f"x = ({A}) or ({B})", {"a b", "a"}),
    ("match", f"match n:\n    case 1:\n        {A}\n    case 2:\n        {B}", {"a", "b", ""}),
    ("match with a last case", f"match n:\n    case 1:\n        {A}\n    case _:\n        {B}", {"a", "b"}),
    ("match with a guard", f"match n:\n    case 1 if {A}:\n        {B}\n    case _:\n        {C}", {"a b", "a c", "c"}),
    ("a guard of what fits all", f"match n:\n    case x if {A}:\n        {B}\n    case _:\n        pass", {"a b", "a"}),
    ("an early return", f"{A}\nif c:\n    return 1\n{B}", {"a [return]", "a b"}),
    ("a step in a return", f"return {A}", {"a [return]"}),
    ("a raise", f"{A}\nif c:\n    raise ValueError\n{B}", {"a [raise]", "a b"}),
    ("for", f"for x in xs:\n    {A}\n{B}", {"b", "a b"}),
    ("for and else", f"for x in xs:\n    {A}\nelse:\n    {B}", {"b", "a b"}),
    ("break", f"for x in xs:\n    {A}\n    if c:\n        break\n    {B}\n{C}", {"c", "a c", "a b c", "a b a c"}),
    ("break past an else", f"for x in xs:\n    {A}\n    break\nelse:\n    {B}\n{C}", {"b c", "a c"}),
    ("continue", f"for x in xs:\n    if c:\n        continue\n    {A}\n{B}", {"b", "a b"}),
    ("a step in the items of a loop", f"for x in {A}:\n    {B}", {"a", "a b"}),
    ("async for", f"async for x in xs:\n    {A}", {"", "a"}),
    ("while", f"while c:\n    {A}\n{B}", {"b", "a b"}),
    ("a step in the condition of a loop", f"while {A}:\n    {B}\n{C}", {"a c", "a b a c"}),
    ("an endless loop", f"while True:\n    {A}\n    if c:\n        break\n{B}", {"a b", "a a b"}),
    (
        "an endless loop that returns",
        f"while True:\n    {A}\n    if c:\n        return\n{B}",
        {"a [return]", "a a [return]"},
    ),
    ("except", f"try:\n    {A}\n    {B}\nexcept ValueError:\n    {C}", {"a b", "c", "a c", "a b c"}),
    ("else after try", f"try:\n    {A}\nexcept ValueError:\n    {B}\nelse:\n    {C}", {"a c", "b", "a b"}),
    ("finally", f"try:\n    {A}\nfinally:\n    {B}\n{C}", {"a b c", "b c", "a b", "b"}),
    ("a return through finally", f"try:\n    {A}\n    return\nfinally:\n    {B}\n{C}", {"a [return] b", "a b", "b"}),
    (
        "a raise to its handler",
        f"try:\n    {A}\n    raise ValueError\nexcept ValueError:\n    {B}",
        {"b", "a b", "a [raise] b", "a [raise]"},
    ),
    ("except for everything", f"try:\n    {A}\nexcept Exception:\n    {B}\n{C}", {"a c", "b c", "a b c"}),
    ("except*", f"try:\n    {A}\nexcept* ValueError:\n    {B}", {"a", "b", "a b"}),
    ("a suppressed exception", f"with contextlib.suppress(ValueError):\n    {A}\n    {B}\n{C}", {"a b c", "c", "a c"}),
    ("with", f"with open(n) as file:\n    {A}\n{B}", {"a b"}),
    ("a step in a with", f"async with ({A}):\n    {B}", {"a b"}),
    ("a comprehension", f"x = [{A} for x in xs]\n{B}", {"b", "a b"}),
    ("a comprehension with a condition", f"x = [n for x in xs if {A}]", {"", "a"}),
    ("a dict comprehension", f"x = {{x: {A} for x in xs}}", {"", "a"}),
    ("walrus", f"if (x := {A}):\n    {B}", {"a b", "a"}),
    ("arguments come before the call", 'await step("b", f, await step("a", f))', {"a b"}),
    ("gather", 'await asyncio.gather(step("a", f), step("b", f))\nawait step("c", f)', {"a c", "b c"}),
    (
        "gather over items",
        'await asyncio.gather(*[step(f"a-{x}", f) for x in xs])\nawait step("c", f)',
        {"c", "a-{x} c"},
    ),
    ("a task", 't = asyncio.create_task(step("a", f))\nawait step("b", f)\nawait t', {"a", "b"}),
    (
        "a task group",
        f"async with asyncio.TaskGroup() as g:\n    g.create_task(step('a', f))\n    g.create_task(step('b', f))\n{C}",
        {"a c", "b c", "c"},
    ),
    ("shield", 'await asyncio.shield(step("a", f))', {"a"}),
    ("wait_for", 'await asyncio.wait_for(step("a", f), 3)', {"a"}),
    ("a step in the other arguments", f"await asyncio.wait_for(step('b', f), timeout={A})", {"a b"}),
    ("fail", f'{A}\nif c:\n    await step.fail("no")\n{B}', {"a [fail]", "a b"}),
    ("abort", f"{A}\nstep.abort()\n{B}", {"a [abort]"}),
    ("a nested function is no call", f"async def g():\n    {A}\n{B}", {"b"}),
    ("a lambda is no call", 'g = lambda: step("a", f)\nawait step("b", f)', {"b"}),
    ("dead code", f"return\n{A}", {"[return]"}),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in CONSTRUCTS], ids=[case[0] for case in CONSTRUCTS])
def test_every_construct_has_the_walks_that_python_has(body: str, expected: set[str]) -> None:
    assert walks(graph_of(body)) == expected


@pytest.mark.parametrize(("body", "_"), [case[1:] for case in CONSTRUCTS], ids=[case[0] for case in CONSTRUCTS])
def test_every_graph_without_its_back_edges_is_acyclic(body: str, _: object) -> None:
    import networkx

    graph = graph_of(body)
    assert networkx.is_directed_acyclic_graph(graph.dag())
    assert [node.id for layer in graph.generations() for node in layer if node.parent is None]


KINDS = [
    ('await step.sleep("n", "1h")', "sleep"),
    ('await step.sleep_until("n", when)', "sleep_until"),
    ('await step.progress("n", done=1)', "progress"),
    ('await step.listen("n", timeout="1d")', "listen"),
    ('await step.execute_workflow("n", other)', "execute_workflow"),
    ('await step.start_workflow("n", other)', "start_workflow"),
    ('await step.wait_for_workflow("n", id_)', "wait_for_workflow"),
    ('await step.map("n", f, xs, concurrency=3)', "map"),
    ('await step.for_each("n", f, xs)', "for_each"),
    ('await step.batch("n", f, xs, batch_size=5)', "batch"),
]


@pytest.mark.parametrize(("call", "kind"), KINDS)
def test_every_word_of_the_language_has_a_kind(call: str, kind: str) -> None:
    [node] = graph_of(call).steps
    assert (node.kind, node.name, node.path) == (kind, "n", "n")


ALIASES = [
    ("from flowgraph import step as s, workflow as w", "@w\nasync def flow():\n    await s('a', f)"),
    ("import flowgraph", "@flowgraph.workflow\nasync def flow():\n    await flowgraph.step('a', f)"),
    ("import flowgraph as fg", "@fg.workflow()\nasync def flow():\n    await fg.step('a', f)"),
    ("from flowgraph import *", "@workflow\nasync def flow():\n    await step('a', f)"),
    (BOTH, "s = step\nt = s\n@workflow\nasync def flow():\n    await t('a', f)"),
    (BOTH, "@workflow\nasync def flow():\n    s = step\n    await s('a', f)"),
    ("from flowgraph import workflow", f"@workflow\nasync def flow():\n    {BOTH}\n    await step('a', f)"),
    ("from flowgraph.dsl import step, workflow", "@workflow\nasync def flow():\n    await step('a', f)"),
    (BOTH, "class C:\n    @workflow\n    async def flow(self):\n        await step('a', f)"),
    (BOTH, "def make():\n    @workflow\n    async def flow():\n        await step('a', f)"),
    (BOTH, "if True:\n\t@workflow\n\tasync def flow():\n\t\tawait step('a', f)"),
]


@pytest.mark.parametrize(("imports", "text"), ALIASES)
def test_the_language_is_found_under_any_name(imports: str, text: str) -> None:
    [graph] = compile_source(f"{imports}\n{text}\n")
    assert [(node.kind, node.path) for node in graph.steps] == [("step", "a")]


SHADOWS = [
    "async def flow(step):\n    await step('a', f)",
    "async def flow():\n    step = other\n    await step('a', f)",
    "async def flow():\n    for step in steps:\n        await step('a', f)",
    "async def flow():\n    with open() as step:\n        await step('a', f)",
]


@pytest.mark.parametrize("text", SHADOWS)
def test_a_name_that_hides_the_language_is_no_step(text: str) -> None:
    [graph] = compile_source(f"{BOTH}\n@workflow\n{text}")
    assert graph.steps == ()


NAMES = [
    ('"a" "b"', "ab"),
    ('f"user-{n}"', "user-{n}"),
    ('f"{PREFIX}-{n}"', "pre-{n}"),
    ('"a-" + str(n)', "a-{str(n)}"),
    ('"a-%s-%d" % (n, 3)', "a-{n}-3"),
    ('"a-%r" % "b"', "{'a-%r' % 'b'}"),
    ('"a-%d" % True', "{'a-%d' % True}"),
    ('f"{None}-{1.5}"', "None-1.5"),
    ('"ab" * 2', "abab"),
    ('"{}-{x}".format(PREFIX, x=n)', "pre-{n}"),
    ("PREFIX", "pre"),
    ("Kind.FETCH.value", "fetch"),
    ("LONG", "pre-long"),
    ("n.name", "{n.name}"),
    ('f"{n!r:>3}"', "{n!r:>3}"),
    ('f"a{{b}}"', "a{{b}}"),
    ('f"\\u00e4ä-{n}"', "ää-{n}"),
    ('rf"a\\d{n}"', "a\\d{n}"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_is_a_template(name: str, expected: str) -> None:
    before = 'import enum\nPREFIX = "pre"\nLONG = PREFIX + "-long"\nclass Kind(enum.Enum):\n    FETCH = "fetch"\n'
    [node] = graph_of(f"await step({name}, f)", before).steps
    assert node.name == expected


def test_names_are_escaped_in_paths_as_at_run_time() -> None:
    [node] = graph_of('await step("a/b[0]%", f)').steps
    assert (node.name, node.path) == ("a/b[0]%", "a%2Fb%5B0%5D%25")


HELPERS = """
async def fetch(x):
    await step("inner", g)
    return x
async def both():
    await step("one", g)
    if await step("two", g):
        return
    await step("three", g)
async def down(n):
    await step(f"down-{n}", g)
    if n:
        await down(n - 1)
    await step(f"up-{n}", g)
def lazily(n):
    return step(f"lazy-{n}", g)
@step("decorated", max_attempts=3)
async def decorated(x):
    await step("inner", g)
class Parts:
    async def first(self):
        await self.second()
    async def second(self):
        await step("second", g)
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('await both()\nawait step("c", f)', {"one two c", "one two three c"}),
        ('await lazily(1)\nawait step("c", f)', {"lazy-1 c"}),
        ('await asyncio.gather(lazily(1), lazily(2))\nawait step("c", f)', {"lazy-1 c", "lazy-2 c"}),
        ("await decorated(1)", {"decorated"}),
        ('await decorated.named(f"d-{n}")(1)', {"d-{n}"}),
        ("task = asyncio.create_task(both())", {"", "one two", "one two three"}),
        ("async def local():\n    await step('local', f)\nawait local()", {"local"}),
        ("await Parts().first()", {"second"}),
    ],
)
def test_helpers_are_part_of_the_workflow(body: str, expected: set[str]) -> None:
    assert walks(graph_of(body, HELPERS)) == expected


def test_a_helper_that_calls_itself_is_a_loop() -> None:
    found = walks(graph_of("await down(n)", HELPERS))
    assert {"down-{n} up-{n}", "down-{n} down-{n} up-{n} up-{n}"} <= found


def test_a_handler_that_calls_itself_through_a_step_is_unknown_from_there_on() -> None:
    before = "async def walk(x):\n    for y in x:\n        await step(f'walk-{y}', walk, y)\n"
    graph = graph_of("await step('top', walk, n)", before)
    assert [node.path for node in graph.steps] == ["top", "top/walk-{y}"]
    assert not graph.is_complete


def test_steps_of_a_handler_are_below_their_step() -> None:
    graph = graph_of('await step("outer", fetch, 1)\nawait step.map("all", fetch, xs)', HELPERS)
    assert [node.path for node in graph.steps] == ["outer", "outer/inner", "all", "all[{index}]/inner"]
    outer, inner, *_ = graph.steps
    assert [parent.id for parent in graph.parents(inner)] == [outer.id]
    assert walks(graph, outer.id) == {"inner"}


@pytest.mark.parametrize(
    "handler",
    [
        "fetch",
        "lambda: fetch(1)",
        "functools.partial(fetch, 1)",
        "lambda: step('inner', g)",
    ],
)
def test_a_handler_is_looked_into_however_it_is_given(handler: str) -> None:
    graph = graph_of(f'await step("outer", {handler})', HELPERS)
    assert [node.path for node in graph.steps] == ["outer", "outer/inner"]


@pytest.mark.parametrize("handler", ["decorated", "lambda: decorated(1)", "functools.partial(decorated, 1)"])
def test_a_decorated_step_as_a_handler_is_a_step_below_it(handler: str) -> None:
    graph = graph_of(f'await step("outer", {handler})', HELPERS)
    assert [node.path for node in graph.steps] == ["outer", "outer/decorated", "outer/decorated/inner"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("await asyncio.gather(*map(lazily, xs))", {"", "lazy-{item}"}),
        ("await asyncio.gather(*map(lambda x: step(f'm-{x}', f), xs))", {"", "m-{x}"}),
        ("both_of = functools.partial(fetch, 1)\nawait both_of()", {"inner"}),
        ("await functools.partial(fetch, 1)()", {"inner"}),
    ],
)
def test_a_function_is_followed_through_map_and_partial(body: str, expected: set[str]) -> None:
    graph = graph_of(body, HELPERS)
    assert walks(graph) >= expected
    assert graph.is_complete


@pytest.mark.parametrize(
    "body",
    [
        "await retrying(fetch, 1)",
        "await retrying(lambda: step('a', f))",
        "retrying(functools.partial(step, 'a', f))",
        "h = lambda: step('a', f)\nawait step('x', h)",
        "await asyncio.gather(*map(lambda x, y: step(f'{x}{y}', f), xs, xs))",
    ],
)
def test_a_function_with_steps_that_others_may_call_is_unknown(body: str) -> None:
    graph = graph_of(body, f"{HELPERS}\nfrom tenacity import retrying\n")
    assert [node.kind for node in graph.nodes if node.kind == "unknown"] == ["unknown"]


@pytest.mark.parametrize("body", ["await retrying(f, 1)", "xs.sort(key=lambda x: x.n)", "retrying(print)"])
def test_a_function_without_steps_may_be_given_to_others(body: str) -> None:
    assert graph_of(body, f"{HELPERS}\nfrom tenacity import retrying\n").is_complete


def test_what_cannot_be_resolved_is_shown() -> None:
    graph = graph_of('await step("a", make(n))')
    assert [node.kind for node in graph.nodes if node.kind == "unknown"] == ["unknown"]
    assert not graph.is_complete


def test_methods_of_the_class_of_a_workflow_are_helpers() -> None:
    text = """
from flowgraph import step, workflow
class Orders:
    @workflow
    async def flow(self):
        await self.charge()
    async def charge(self):
        await step("charge", f)
"""
    [graph] = compile_source(text)
    assert [node.path for node in graph.steps] == ["charge"]


def test_a_node_knows_its_line_and_options() -> None:
    graph = graph_of('x = 1\nawait step(\n    "a", f,\n    max_attempts=3, timeout="5s")')
    [node] = graph.steps
    assert (node.line, node.options) == (7, {"max_attempts": "3", "timeout": "'5s'"})


def test_every_node_has_a_line() -> None:
    group = "async with asyncio.TaskGroup() as g:\n    g.create_task(step('a', f))\n    g.create_task(step('b', f))"
    assert min(node.line for node in graph_of(f"{group}\n{C}").nodes) > 0


def test_the_workflow_has_the_name_of_its_decorator() -> None:
    text = 'NAME = "orders"\nfrom flowgraph import workflow\n@workflow(name=NAME + "-v2")\nasync def flow():\n    pass'
    [graph] = compile_source(text, "orders.py")
    assert (graph.workflow, graph.path, graph.line) == ("orders-v2", "orders.py", 4)


SAME = [
    (f"{A}\n{B}", f"# a comment\n{A}\n\n\n{B}", True),
    (f"if c:\n    {A}", f"if n > 3:\n    {A}", True),
    ('await step("a", f)', 'await step("a", g, 1, max_attempts=9)', True),
    ('await step("a", f)', 'await step("b", f)', False),
    ('await step("a", f)', 'await step.sleep("a", 1)', False),
    (f"{A}\n{B}", f"{B}\n{A}", False),
    ('await step("a", f)', 'await step("a", f, at_most_once=True)', False),
    ('await step.batch("a", f, xs)', 'await step.batch("a", f, xs, batch_size=20)', True),
    ('await step.listen("a")', 'await step.listen("a", event="a")', True),
    ('await step.execute_workflow("a", "one")', 'await step.execute_workflow("a", "two")', False),
    ('await step.batch("a", f, xs, batch_size=3)', 'await step.batch("a", f, xs, batch_size=4)', False),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_the_fingerprint_is_of_the_meaning(one: str, other: str, same: bool) -> None:
    assert (graph_of(one).fingerprint == graph_of(other).fingerprint) is same


def test_a_graph_survives_its_json_form() -> None:
    graph = graph_of(f"for x in xs:\n    {A}\nif c:\n    {B}", HELPERS)
    assert Graph.from_json(graph.to_json()) == graph
    assert Graph.from_json(graph.to_json()).fingerprint == graph.fingerprint


@pytest.mark.parametrize("values", [[], None, {"version": 1}, {"version": 1, "nodes": [3]}])
def test_what_is_no_graph_is_refused(values: Any) -> None:
    with pytest.raises(InvalidOption, match=r"Graph\.to_json gives"):
        Graph.from_json(values)


@pytest.mark.parametrize("source", [b"x = 1", Path("flows.py"), None])
def test_only_text_is_source(source: Any) -> None:
    with pytest.raises(TypeError, match="compile_source takes the text of a file"):
        compile_source(source)


def test_what_is_asked_of_a_node_that_is_not_there_is_refused() -> None:
    graph = graph_of('await step("a", f)')
    for ask in (graph.dag, graph.generations, graph.critical_path, graph.node):
        with pytest.raises(InvalidOption, match="has no such node"):
            ask("zz")


def test_a_graph_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        Graph.from_json({**graph_of(A).to_json(), "version": 99})


def test_a_graph_is_given_to_networkx_with_all_that_it_knows() -> None:
    made = graph_of(f"{A}\n{B}").to_networkx()
    kinds = [made.nodes[node]["kind"] for node in made]
    assert kinds == ["start", "step", "step", "end"]
    assert [values["kind"] for *_, values in made.edges(data=True)] == ["control"] * 3


def test_the_critical_path_is_the_longest_chain() -> None:
    graph = graph_of(f"if c:\n    {A}\n    {B}\nelse:\n    {C}\nfor x in xs:\n    await step('d', f)")
    assert [node.name for node in graph.critical_path()] == ["a", "b", "for x in xs"]


UMLAUT = f"{BOTH}\n@workflow\nasync def flow():\n    await step('ä', f)\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + UMLAUT.encode(),
        b"# coding: latin-1\n" + UMLAUT.encode("latin-1"),
        UMLAUT.replace("\n", "\r\n").encode(),
        UMLAUT.replace("\n", "\r").encode(),
    ],
    ids=["a byte order mark", "another encoding", "CRLF", "CR"],
)
def test_a_file_is_read_as_python_reads_it(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_bytes(content)
    [graph] = compile_file(file)
    assert [node.name for node in graph.steps] == ["ä"]


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\n", "a\0b", "\t if 1:\n  x", "(" * 300], ids=repr)
def test_text_that_is_not_python_is_one_diagnostic(text: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_source(text, "flow.py")
    [diagnostic] = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.path) == ("FG901", "flow.py")
    assert min(diagnostic.line, diagnostic.column) >= 1


def test_a_file_in_a_broken_encoding_is_one_diagnostic(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_bytes(b"x = '\xff'\n")
    with pytest.raises(CompileError, match="FG901"):
        compile_file(file)


def test_long_and_deep_functions_are_compiled() -> None:
    many = "\n".join(f'await step("s{number}", f)' for number in range(2_000))
    assert len(graph_of(many).steps) == 2_000
    chain = "if n == 0:\n    pass\n" + "".join(f"elif n == {n}:\n    await step('s{n}', f)\n" for n in range(1, 500))
    assert len(graph_of(chain).steps) == 499
    deep = "\n".join(f"{'    ' * depth}if c:" for depth in range(90)) + f"\n{'    ' * 90}{A}"
    assert len(graph_of(deep).steps) == 1


def test_helpers_that_double_end_in_what_is_unknown() -> None:
    doubling = "async def h0():\n    await step('s', f)\n" + "".join(
        f"async def h{n}():\n    await h{n - 1}()\n    await h{n - 1}()\n" for n in range(1, 30)
    )
    graph = graph_of("await h29()", doubling)
    assert len(graph.nodes) < 30_000
    assert not graph.is_complete


def test_compiling_gives_the_same_under_any_hash_seed() -> None:
    code = (
        "import json, sys; from flowgraph.compiler import compile_source; "
        "print(json.dumps([graph.to_json() for graph in compile_source(sys.stdin.read())]))"
    )
    text = f"{BOTH}\n{HELPERS}\n@workflow\nasync def flow(c, n):\n    await both()\n    await down(n)\n"

    def told(seed: str) -> str:
        command, seeded = [sys.executable, "-c", code], {"PYTHONHASHSEED": seed}
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True, env=seeded).stdout

    assert len({told(seed) for seed in ("0", "1", "2")}) == 1


DATA = [
    ("x = await step('a', f)\nawait step('b', f, x)", {("a", "b", "x")}),
    ("x = await step('a', f)\ny = x.id\nz = [y]\nawait step('b', f, z[0])", {("a", "b", "z")}),
    ("await step('b', f, await step('a', f))", {("a", "b", "")}),
    ("x = await step('a', f)\nx = 1\nawait step('b', f, x)", set()),
    ("x = 0\nif c:\n    x = await step('a', f)\nawait step('b', f, x)", {("a", "b", "x")}),
    (
        "x = await step('a', f)\nif c:\n    x = await step('b', f)\nawait step('d', f, x)",
        {("a", "d", "x"), ("b", "d", "x")},
    ),
    ("x, y = await asyncio.gather(step('a', f), step('b', f))\nawait step('d', f, y)", {("b", "d", "y")}),
    ("t = asyncio.create_task(step('a', f))\nawait step('b', f, await t)", {("a", "b", "t")}),
    ("x = await step('a', f)\nawait step('b', lambda: g(x))", {("a", "b", "x")}),
    ("x = await step('a', f)\nasync def g():\n    return x\nawait step('b', g)", {("a", "b", "x")}),
    ("x = await helper(1)\nawait step('b', f, x)", {("h", "b", "x")}),
    ("x = await step('a', f)\nawait taking(x)", {("a", "t", "value")}),
    ("x = None\nfor y in xs:\n    x = await step(f'a-{y}', f, x)", {("a-{y}", "a-{y}", "x")}),
    ("x = await step('a', f)\nfor y in x:\n    await step(f'b-{y}', f)", {("a", "b-{y}", "y")}),
    ("if (x := await step('a', f)):\n    await step('b', f, x)", {("a", "b", "x")}),
    ("await step(f'b-{await step(\"a\", f)}', g)", {("a", "b-{await step('a', f)}", "")}),
]
GIVERS = """
async def helper(n):
    value = await step("h", f, n)
    return value

async def taking(value):
    await step("t", f, value)
"""


@pytest.mark.parametrize(("body", "expected"), DATA, ids=[case[0] for case in DATA])
def test_a_data_edge_leads_from_a_result_to_the_step_that_is_given_it(
    body: str, expected: set[tuple[str, str, str]]
) -> None:
    graph = graph_of(body, GIVERS)
    found = {(graph.node(e.source).name, graph.node(e.target).name, e.label) for e in graph.edges if e.kind == "data"}
    assert found == expected


SERVICES = """
class Base:
    async def inherited(self, n):
        await step("inherited", f)

class Service(Base):
    async def charge(self, n):
        await step(f"charge-{n}", f)
        await self.inherited(n)

service = Service()
"""
OBJECTS = [
    ("await service.charge(1)", {"charge-1", "inherited"}),
    ("mine = Service()\nawait mine.charge(1)", {"charge-1", "inherited"}),
    ("await service.inherited(1)", {"inherited"}),
    ("async def inner(s: Service):\n    await s.charge(2)\nawait inner(n)", {"charge-2", "inherited"}),
]


@pytest.mark.parametrize(("body", "expected"), OBJECTS)
def test_methods_of_objects_are_followed_by_their_class(body: str, expected: set[str]) -> None:
    graph = graph_of(body, SERVICES)
    assert {node.name for node in graph.steps} == expected
    assert graph.is_complete


OUT_OF_SIGHT = ["await n()", "await n.method()", "await xs[0](1)", "g = c or n\nawait g()", "await getattr(n, 'x')()"]


@pytest.mark.parametrize("body", OUT_OF_SIGHT)
def test_what_is_awaited_and_cannot_be_followed_is_unknown(body: str) -> None:
    graph = graph_of(body)
    [unknown] = [node for node in graph.nodes if node.kind == "unknown"]
    assert unknown.name.endswith(" cannot be followed")
    assert not graph.is_complete


FROM_ELSEWHERE = [
    "await asyncio.sleep(1)",
    "queue = asyncio.Queue()\nawait queue.get()",
    "async with asyncio.timeout(3) as t:\n    await t.other()",
    "async def inner(queue: asyncio.Queue):\n    await queue.get()\nawait inner(n)",
    "t = asyncio.create_task(step('a', f))\nawait t",
    "await asyncio.get_running_loop().run_in_executor(None, f)",
]


@pytest.mark.parametrize("body", FROM_ELSEWHERE)
def test_what_libraries_give_has_no_steps(body: str) -> None:
    assert graph_of(body).is_complete


HANDLERS_AT_WORK = ["lambda: n.get(1)", "lambda: len(xs)", "fetching", "functools.partial(fetching, n)"]


@pytest.mark.parametrize("handler", HANDLERS_AT_WORK)
def test_what_a_handler_awaits_is_its_work(handler: str) -> None:
    graph = graph_of(f"await step('a', {handler})", "async def fetching(client):\n    return await client.get()\n")
    assert [node.kind for node in graph.nodes] == ["start", "step", "end"]


BY_KEYWORD = [
    ('await step.sleep(name="n", duration=3)', ("sleep", "n", {"duration": "3"})),
    ('await step.progress(message="n")', ("progress", "n", {})),
    ('await step.map("n", handler=f, items=xs)', ("map", "n", {"items": "xs"})),
    ("await step(*xs)", ("step", "", {})),
]


@pytest.mark.parametrize(("call", "expected"), BY_KEYWORD)
def test_a_name_may_be_given_by_keyword_where_the_language_takes_it(call: str, expected: tuple[object, ...]) -> None:
    [node] = graph_of(call).steps
    assert (node.kind, node.name, node.options) == expected


SUMS = [
    ('f"page-{n + 1}"', "page-{n + 1}"),
    ('"page-" + n', "page-{n}"),
    ("PREFIX + n", "pre-{n}"),
    ('f"page-{THREE + 1}"', "page-{THREE + 1}"),
    ('"a" + "b" + THREE', "ab3"),
    ("n + xs", "{n + xs}"),
    ('"%s-" % n + c', "{n}-{c}"),
]


@pytest.mark.parametrize(("name", "expected"), SUMS)
def test_a_sum_is_put_together_where_it_is_one_of_texts(name: str, expected: str) -> None:
    [node] = graph_of(f"await step({name}, f)", 'PREFIX = "pre-"\nTHREE = 3\n').steps
    assert node.name == expected


def test_a_generator_with_steps_is_unknown() -> None:
    pages = "async def pages(n):\n    while n:\n        yield await step(f'page-{n}', f)\n"
    graph = graph_of("async for page in pages(n):\n    await step(f'save-{page}', f)", pages)
    assert [node.name for node in graph.nodes if node.kind == "unknown"] == ["pages() yields between its steps"]
    assert [node.name for node in graph.steps] == ["save-{page}"]
