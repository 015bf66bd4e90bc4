"""How far a run has come along its graph: n of m, and what may still come."""

from __future__ import annotations

import pytest

from flowgraph import compile_source
from flowgraph.cli.course import Course
from flowgraph.model import Checkpoint
from tests.cli.rows import Rows

HEAD = "import asyncio\nfrom flowgraph import step, workflow\n@workflow\nasync def flow(n):\n"


def course_of(body: str) -> Course:
    [graph] = compile_source(HEAD + "".join(f"    {line}\n" for line in body.strip("\n").splitlines()))
    return Course(graph)


def stand(course: Course, *rows: Checkpoint) -> tuple[str, list[str]]:
    for row in rows:
        course.take(row)
    done, total = course.counts()
    return f"{done} of {total}", [node.name for node in course.to_come()]


def test_before_anything_all_that_is_possible_is_to_come() -> None:
    course = course_of('await step("a", f)\nawait step.sleep("b", 1)\nawait step.progress("half")\nawait step("c", f)')
    assert stand(course) == ("0 of 3", ["a", "b", "c"])


def test_what_has_ended_is_counted_and_what_has_begun_is_to_come_no_more() -> None:
    rows = Rows()
    course = course_of('await step("a", f)\nawait step.sleep("b", 1)\nawait step("c", f)')
    assert stand(course, rows("a")) == ("1 of 3", ["b", "c"])
    assert stand(course, rows("b", "waiting", "sleep")) == ("1 of 3", ["c"])
    course.begin("c")
    assert stand(course) == ("1 of 3", [])
    assert stand(course, rows("b", kind="sleep"), rows.failed("c")) == ("3 of 3", [])


def test_a_loop_and_the_items_of_a_map_count_once() -> None:
    rows = Rows()
    course = course_of(
        'for k in range(n):\n    await step(f"page-{k}", f)\nawait step.map("m", f, n)\nawait step("z", f)'
    )
    assert stand(course, rows("page-0"), rows("page-1")) == ("1 of 3", ["m", "z"])
    assert stand(course, rows("m", "started", "map", payload={}), rows("m[0]")) == ("1 of 3", ["z"])
    assert stand(course, rows("m", kind="map", payload={})) == ("2 of 3", ["z"])


def test_both_arms_are_possible_until_one_is_taken() -> None:
    rows = Rows()
    course = course_of('if n:\n    await step("a", f)\nelse:\n    await step("b", f)\nawait step("c", f)')
    assert stand(course) == ("0 of 3", ["a", "b", "c"])
    assert stand(course, rows("b")) == ("1 of 2", ["c"])


def test_a_loop_that_is_left_is_possible_no_more() -> None:
    rows = Rows()
    course = course_of(
        'for k in range(n):\n    if k:\n        await step(f"x-{k}", f)\n    else:\n        await step(f"y-{k}", f)\n'
        'await step("end", f)'
    )
    assert stand(course, rows("x-1")) == ("1 of 3", ["y-{k}", "end"])
    assert stand(course, rows("end")) == ("2 of 2", [])


def test_a_handler_is_to_come_after_a_failure_only() -> None:
    rows = Rows()
    body = 'try:\n    await step("a", f)\nexcept ValueError:\n    await step("mend", f)\nawait step("b", f)'
    assert stand(course_of(body)) == ("0 of 2", ["a", "b"])
    assert stand(course_of(body), rows("a")) == ("1 of 2", ["b"])
    assert stand(course_of(body), rows.failed("a")) == ("1 of 3", ["mend", "b"])


def test_side_by_side_all_are_to_come_until_what_follows_has_begun() -> None:
    rows = Rows()
    course = course_of('await asyncio.gather(step("a", f), step("b", f))\nawait step("c", f)')
    assert stand(course, rows("a")) == ("1 of 3", ["b", "c"])
    assert stand(course, rows("b"), rows("c")) == ("3 of 3", [])


def test_steps_below_steps_are_counted_and_only_the_workflows_own_are_named() -> None:
    rows = Rows()
    text = HEAD.replace("@workflow", "async def outer():\n    await step('in', f)\n    await step('too', f)\n@workflow")
    [graph] = compile_source(f'{text}    await step("outer", outer)\n    await step("end", f)\n')
    course = Course(graph)
    assert stand(course) == ("0 of 4", ["outer", "end"])
    assert stand(course, rows("outer/in")) == ("1 of 4", ["end"])
    assert stand(course, rows("outer/too"), rows("outer")) == ("3 of 4", ["end"])


def test_a_step_whose_inside_was_not_needed_leaves_nothing_to_come() -> None:
    rows = Rows()
    text = HEAD.replace("@workflow", "async def outer():\n    if x:\n        await step('in', f)\n@workflow")
    [graph] = compile_source(f'{text}    await step("outer", outer)\n')
    assert stand(Course(graph), rows("outer")) == ("1 of 1", [])


@pytest.mark.parametrize("path", ["surprise", "a/below", "a[3]"])
def test_an_unplanned_step_changes_nothing(path: str) -> None:
    rows = Rows()
    assert stand(course_of('await step("a", f)'), rows(path)) == ("0 of 1", ["a"])
