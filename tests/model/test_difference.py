"""What changed between two versions of a workflow, as a table of sources."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowgraph import Graph, compile_source
from flowgraph.model.difference import Change, Difference, difference, differences
from tests.compiler.programs import Programs

HEAD = """
import asyncio
from flowgraph import step, workflow

async def sub(n):
    await step("weigh", weigh, n)
    await step(f"pack-{n}", pack)

@workflow
async def order(n=1, xs=(), user=None, c=True, d=True):
"""
A, B, C, D, E = (f'await step("{name}", f)\n' for name in ("fetch", "check", "charge", "ship", "thank"))
X, Y = 'await step("quux", f)\n', 'await step("zip", f)\n'
PARENT = 'await step("parcel", sub, n)\n'


def graph(body: str, head: str = HEAD) -> Graph:
    [made] = compile_source(head + "".join(f"    {line}\n" for line in (body or "pass").splitlines()))
    return made


def between(old: str, new: str) -> Difference:
    return difference(graph(old), graph(new))


def told(found: Difference) -> list[str]:
    """Each change as text: its kind, the path or both, and a mark if it breaks."""
    return [f"{change.kind} {paths(change)}{' !' if change.breaks else ''}" for change in found.changes]


def paths(change: Change) -> str:
    return " > ".join(dict.fromkeys(path for path in (change.path_old, change.path_new) if path is not None))


def under(name: str, *steps: str) -> str:
    """A step whose handler is a nested function that calls these steps."""
    body = "".join(f"    {line}\n" for one in steps for line in one.splitlines())
    return f"async def do_{name}():\n{body}await step('{name}', do_{name})\n"


CASES: list[tuple[str, str, str, list[str]]] = [
    (
        "another step that runs the same function",
        'await step("charge", pay)\nawait step("ship", g)',
        'await step("ship", g)\nawait step("settle", pay)',
        ["renamed charge > settle !"],
    ),
    (
        "another step with another function in its place",
        'await step("charge", pay)\nawait step("ship", g)',
        'await step("audit", look)\nawait step("ship", g)',
        ["removed charge", "added audit"],
    ),
    (
        "another name like it and another function in its place",
        'await step("charge", charge)\nawait step("ship", g)',
        'await step("charge-card", charge_card)\nawait step("ship", g)',
        ["renamed charge > charge-card !"],
    ),
    # What a run does not notice.
    ("nothing", A + B, A + B, []),
    ("a comment", A + B, "# first\n" + A + "\n" + B, []),
    ("another handler", A, 'await step("fetch", other, 1, n)', []),
    ("a step at the end", A, A + B, ["added check"]),
    ("a step at the start", B, A + B, ["added fetch"]),
    ("a step in the middle", A + C, A + B + C, ["added check"]),
    ("a step with steps", A, A + PARENT, ["added parcel"]),
    ("a step inside a step", under("p", A), under("p", A, B), ["added p/check"]),
    ("a step gone", A + B, A, ["removed check"]),
    ("a step with steps gone", A + PARENT, A, ["removed parcel"]),
    ("the last step gone, another first", A + X, 'await step("hello", f)\n' + A, ["removed quux", "added hello"]),
    (
        "one gone from the middle, one at the end",
        A + X + B,
        A + B + 'await step("k", f)\n',
        ["removed quux", "added k"],
    ),
    ("two swapped", A + B, B + A, ["reordered fetch"]),
    ("the last one first", A + B + C + D, D + A + B + C, ["reordered ship"]),
    ("side by side", A + B, 'await asyncio.gather(step("fetch", f), step("check", f))', []),
    (
        "the arms of a branch swapped",
        f"if c:\n  {A}else:\n  {B}",
        f"if not c:\n  {B}else:\n  {A}",
        ["condition fetch > check"],
    ),
    ("two equal paths become one", f"if c:\n  {A}else:\n  {A}", A, ["condition fetch"]),
    ("a condition", f"if n > 10:\n  {A}", f"if n > 100:\n  {A}", ["condition fetch"]),
    ("a new condition", A + B, f"{A}if c:\n  {B}", ["condition check"]),
    ("a condition gone", f"if c:\n  {A}", A, ["condition fetch"]),
    ("a case", f"match n:\n  case 1: {A}  case _: {B}", f"match n:\n  case 2: {A}  case _: {B}", ["condition fetch"]),
    ("the header of a loop", f"while n:\n  {A}", f"while n > 1:\n  {A}", ["condition fetch"]),
    ("another exception", f"try: {A}except OSError: {B}", f"try: {A}except ValueError: {B}", ["condition check"]),
    ("a new step under a condition", A, f"{A}if c:\n  {B}", ["added check"]),
    ("a step gone with its condition", f"{A}if c:\n  {B}", A, ["removed check"]),
    ("a new message", A, A + 'await step.progress("half")', ["added half"]),
    (
        "another message",
        'await step.progress("half")',
        'await step.progress("half done")',
        ["removed half", "added half done"],
    ),
    (
        "a message and a step of one name",
        'await step.progress("fetch")',
        'await step.progress("fetch")\n' + A,
        ["added fetch"],
    ),
    # Options.
    ("how often", 'await step("a", f, max_attempts=3)', 'await step("a", f, max_attempts=5)', ["options a"]),
    ("at most once", 'await step("a", f)', 'await step("a", f, at_most_once=True)', ["options a"]),
    ("at least once", 'await step("a", f, at_most_once=True)', 'await step("a", f)', ["options a"]),
    ("how many at once", 'await step.map("m", f, xs)', 'await step.map("m", f, xs, concurrency=2)', ["options m"]),
    ("another event", 'await step.listen("e")', 'await step.listen("e", event="x")', ["options e"]),
    ("the event as it was", 'await step.listen("e")', 'await step.listen("e", event="e")', []),
    (
        "a child left alone",
        'await step.start_workflow("w", o)',
        'await step.start_workflow("w", o, detached=True)',
        ["options w"],
    ),
    ("a result read as another type", 'await step("a", f)', 'await step("a", f, returns=int)', ["options a"]),
    ("a key", 'await step.map("m", f, xs)', 'await step.map("m", f, xs, key=str)', ["options m !"]),
    ("no key any more", 'await step.map("m", f, xs, key=str)', 'await step.map("m", f, xs)', ["options m !"]),
    (
        "another key",
        'await step.for_each("m", f, xs, key=a)',
        'await step.for_each("m", f, xs, key=b)',
        ["options m !"],
    ),
    ("no key, said so", 'await step.map("m", f, xs)', 'await step.map("m", f, xs, key=None)', []),
    (
        "the size of batches",
        'await step.batch("b", f, xs)',
        'await step.batch("b", f, xs, batch_size=50)',
        ["options b !"],
    ),
    ("the size as it was", 'await step.batch("b", f, xs)', 'await step.batch("b", f, xs, batch_size=20)', []),
    # Another name.
    ("the only step", A, X, ["renamed fetch > quux !"]),
    ("between the same steps", A + B + C, A + X + C, ["renamed check > quux !"]),
    ("the first", A + B, X + B, ["renamed fetch > quux !"]),
    ("the last", A + B, A + X, ["renamed check > quux !"]),
    ("two neighbours", A + B + C + D, A + X + Y + D, ["renamed check > quux !", "renamed charge > zip !"]),
    (
        "all of them",
        A + B + C,
        "".join(f'await step("{name}", f)\n' for name in "xyz"),
        ["renamed fetch > x !", "renamed check > y !", "renamed charge > z !"],
    ),
    (
        "a like name, and a step between",
        A + C + D,
        f'{A}await step("charge-card", f)\n{E}{D}',
        ["renamed charge > charge-card !", "added thank"],
    ),
    ("a name in one arm", f"if c:\n  {A}else:\n  {B}", f"if c:\n  {A}else:\n  {X}", ["renamed check > quux !"]),
    ("a wait", 'await step.sleep("wait", 5)', 'await step.sleep("pause", 5)', ["renamed wait > pause !"]),
    ("a variable", A + B, "NAME = 'quux'\n" + A + "await step(NAME, f)", ["renamed check > {NAME} !"]),
    ("inside a step", under("p", A, B), under("p", A, X), ["renamed p/check > p/quux !"]),
    ("made dynamic", 'await step("page-1", f)\n', 'await step(f"page-{n}", f)\n', ["renamed page-1 > page-{n} !"]),
    ("made constant", 'await step(f"page-{n}", f)\n', 'await step("page", f)\n', ["renamed page-{n} > page !"]),
    (
        "another value",
        'await step(f"page-{user.id}", f)',
        'await step(f"page-{user.key}", f)',
        ["renamed page-{user.id} > page-{user.key} !"],
    ),
    (
        "another value and another place",
        f'await step(f"page-{{n}}", f)\n{A}{B}',
        f'{A}{B}await step(f"page-{{user.n}}", f)\n',
        ["renamed page-{n} > page-{user.n} !"],
    ),
    (
        "the same variable",
        f"{X}x = {A}{Y}{D}await step('z', f, x)",
        f"{X}{D}x = {B}{E}await step('z', f, x)",
        ["renamed fetch > check !", "removed zip", "added thank"],
    ),
    ("a step with steps", PARENT + A, 'await step("package", sub, n)\n' + A, ["renamed parcel > package !"]),
    (
        "a step with steps, far away",
        PARENT + A + B,
        A + B + 'await step("quux", sub, n)\n',
        ["renamed parcel > quux !"],
    ),
    (
        "a step with steps, one of them new",
        under("p", A, B),
        under("q", A, B, C),
        ["renamed p > q !", "added q/charge"],
    ),
    ("a map with steps", 'await step.map("m", sub, xs)', 'await step.map("each", sub, xs)', ["renamed m > each !"]),
    # Another place.
    ("into a step", A + B, A + under("p", B), ["moved check > p/check !", "added p"]),
    (
        "out of a step",
        PARENT,
        "await sub(n)",
        ["moved parcel/weigh > weigh !", "moved parcel/pack-{n} > pack-{n} !", "removed parcel"],
    ),
    (
        "from one step to another",
        under("p", A, B, C) + under("q", D),
        under("p", A, B) + under("q", D, C),
        ["moved p/charge > q/charge !"],
    ),
    ("a step with steps into a step", PARENT, under("all", PARENT), ["moved parcel > all/parcel !", "added all"]),
    # Another kind.
    ("a step became a wait", A, 'await step.sleep("fetch", 5)', ["kind-changed fetch !"]),
    (
        "a map became a for_each",
        'await step.map("m", sub, xs)',
        'await step.for_each("m", sub, xs)',
        ["kind-changed m !"],
    ),
    ("a step became a map", 'await step("m", sub, n)', 'await step.map("m", sub, xs)', ["kind-changed m !"]),
    (
        "a kind more",
        A,
        f'if c:\n  {A}else:\n  await step.sleep("fetch", 5)\n',
        ["kind-changed fetch", "condition fetch"],
    ),
    (
        "another kind and another name",
        A + B + C,
        A + 'await step.sleep("quux", 5)\n' + C,
        ["removed check", "added quux"],
    ),
]


@pytest.mark.parametrize(("old", "new", "changes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_changes_are_told_with_their_verdict(old: str, new: str, changes: list[str]) -> None:
    found = between(old, new)
    assert told(found) == changes
    assert found.verdict == ("breaks" if any("!" in one for one in changes) else "safe")


NOTES: list[tuple[str, str, str]] = [
    (A, X, "it runs again under its new name"),
    (PARENT, 'await step("package", sub, n)\n', "it runs again under its new name, with the 2 steps inside it"),
    (under("p", A), under("q", A), "it runs again under its new name, with the step inside it"),
    (
        "await step('p-1', f)",
        "await step(f'p-{n}', f)",
        "its name has a value in it now; where it is another text, it runs again",
    ),
    (
        "await step(f'p-{n}', f)",
        "await step('p-1', f)",
        "its name has no value in it any more; where it is another text, it runs again",
    ),
    (
        "await step(f'p-{n}', f)",
        "await step(f'p-{c}', f)",
        "another value is in its name; where that is another text, it runs again",
    ),
    (A, under("p", A), "it runs again inside 'p'"),
    (under("p", A, B), under("p", A) + B, "it runs again outside of other steps"),
    (A, "", "its saved result is orphaned"),
    (PARENT, "", "its saved result is orphaned, with those of the 2 steps inside it"),
    ("await step.progress('half')", "", "nobody is told it any more"),
    (A, "await step.sleep('fetch', 5)", "it was step and is sleep; a run that has it is paused as incompatible"),
    (f"if c:\n  {A}", f"if d:\n  {A}", "`if c` is now `if d`"),
    (A, f"if d:\n  {A}", "`if d` decides now"),
    (f"if d:\n  {A}", A, "`if d` decides no longer"),
    (
        "await step('a', f, max_attempts=3)",
        "await step('a', f, max_attempts=5, timeout='1m')",
        "max_attempts was 3, is 5; timeout was not given, is '1m'",
    ),
]


@pytest.mark.parametrize(("old", "new", "note"), NOTES)
def test_a_note_says_what_a_change_means(old: str, new: str, note: str) -> None:
    assert note in [change.note for change in between(old, new).changes]


@pytest.mark.parametrize(
    ("old", "new", "meaning"),
    [
        ("map('m', f, xs)", "map('m', f, xs, key=str)", "does again the items that are done: they have no keys yet"),
        (
            "map('m', f, xs, key=str)",
            "map('m', f, xs)",
            "fails with ItemsChanged, or does again what came from an iterator",
        ),
        ("map('m', f, xs, key=a)", "map('m', f, xs, key=b)", "does again the items whose keys are other texts now"),
        (
            "batch('m', f, xs)",
            "batch('m', f, xs, batch_size=3)",
            "fails with ItemsChanged: its batches would be others",
        ),
        ("listen('m')", "listen('m', event='e')", "events that were sent under the old name are not taken any more"),
    ],
)
def test_a_note_says_what_an_option_does_to_a_run_in_the_middle_of_it(old: str, new: str, meaning: str) -> None:
    [change] = between(f"await step.{old}", f"await step.{new}").changes
    assert meaning in change.note


def test_what_breaks_comes_first() -> None:
    assert told(between(A + B + C, A + X + C + D)) == ["renamed check > quux !", "added ship"]


def test_a_step_whose_kind_changed_hides_what_is_inside_it() -> None:
    assert told(between("await step('m', sub, n)", "await step.map('m', sub, xs)")) == ["kind-changed m !"]


def test_what_is_unknown_is_said_and_not_compared() -> None:
    found = between(A + B, A + "await step('check', make())")
    assert (found.verdict, found.changes) == ("safe", ())
    assert found.unknown == (
        "What the new workflow does in line 12 is unknown and not compared: the handler is what a call returns.",
    )


def test_a_step_that_is_gone_may_be_in_what_is_unknown() -> None:
    found = between(under("p", A, B), "await step('p', make())")
    assert [change.note for change in found.changes] == [
        "its saved result is orphaned, unless it is in what is unknown",
    ] * 2


# Several workflows ----------------------------------------------------------------------------------------------------


def test_workflows_are_matched_by_their_names() -> None:
    head = "from flowgraph import step, workflow\n"
    one, two, three = (f"@workflow\nasync def {name}():\n    await step('a', f)\n" for name in ("one", "two", "three"))
    found = differences(compile_source(head + one + two), compile_source(head + two + three))
    assert [(each.workflow, each.verdict, told(each)) for each in found] == [
        ("two", "safe", []),
        ("three", "safe", ["added "]),
        ("one", "breaks", ["removed  !"]),
    ]
    assert (found[1].fingerprint_old, found[2].fingerprint_new) == (None, None)


def test_the_json_form_has_all_of_it() -> None:
    old, new = graph(A), graph(X)
    assert difference(old, new).to_json() == {
        "workflow": "order",
        "verdict": "breaks",
        "fingerprint_old": old.fingerprint,
        "fingerprint_new": new.fingerprint,
        "changes": [
            {
                "kind": "renamed",
                "path_old": "fetch",
                "path_new": "quux",
                "breaks": True,
                "note": "it runs again under its new name",
            }
        ],
    }


# Properties -----------------------------------------------------------------------------------------------------------

affordable = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@affordable
@given(st.integers(0, 10_000), st.booleans())
def test_a_graph_does_not_differ_from_itself(seed: int, concurrent: bool) -> None:
    [made] = compile_source(Programs(seed, concurrent=concurrent).program())
    assert difference(made, made) == Difference(made.workflow, made.fingerprint, made.fingerprint)


@affordable
@given(st.integers(0, 10_000), st.booleans())
def test_a_step_that_is_added_is_safe(seed: int, first: bool) -> None:
    text = Programs(seed).program()
    head, body = text.split("async def flow():\n")
    new = f"{head}async def flow():\n" + (
        "    await step('new', f)\n" + body if first else body + "\n    await step('new', f)"
    )
    found = difference(*(compile_source(one)[0] for one in (text, new)))
    assert found.changes in ((Change("added", None, "new"),), ())  # It may be out of reach.


names = st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True)


@affordable
@given(names, names)
def test_each_step_of_both_versions_is_told_of_once(old: list[str], new: list[str]) -> None:
    found = between(*("".join(f"await step('{name}', f)\n" for name in each) for each in (old, new)))
    steps = [change for change in found.changes if change.kind in ("added", "removed", "renamed")]
    assert sorted(filter(None, (change.path_old for change in steps))) == sorted(set(old) - set(new))
    assert sorted(filter(None, (change.path_new for change in steps))) == sorted(set(new) - set(old))


@affordable
@given(st.permutations("abcdef"))
def test_steps_that_are_reordered_are_as_few_as_possible(order: list[str]) -> None:
    found = between(*("".join(f"await step('{name}', f)\n" for name in each) for each in ("abcdef", order)))
    moved = {change.path_old for change in found.changes}
    left = [name for name in order if name not in moved]
    assert left == sorted(left)
    assert {change.kind for change in found.changes} <= {"reordered"}
    rising = (
        chosen for size in range(7) for chosen in itertools.combinations(order, size) if sorted(chosen) == list(chosen)
    )
    assert len(left) == max(map(len, rising))


def test_a_loop_over_other_things_is_another_value_in_the_name() -> None:
    old = "for x in xs:\n    await step(f's-{x.id}', f)"
    assert between(old, "for y in ys:\n    await step(f's-{y.id}', f)").verdict == "breaks"
