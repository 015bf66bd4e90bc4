"""What steps, workflows, children and events hand over is restored exactly or refused at once (R3, R19)."""

from __future__ import annotations

import dataclasses
import enum
import math
import uuid
from collections import Counter, OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import attrs
import pydantic
import pytest

from flowgraph import (
    PayloadTooLarge,
    RunFailed,
    RunStatus,
    SerializationError,
    StepError,
    step,
    workflow,
)
from tests.runtime.support import opened, reached, record_of, result_of, steps_of

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


@attrs.frozen
class Line:
    sku: str
    price: Decimal
    _private: int = 0


@attrs.frozen
class Order:
    id: uuid.UUID
    lines: list[Line]
    color: Color
    placed: datetime
    raw: bytes = b""
    parent: Order | None = None


@dataclasses.dataclass
class Point(Generic[T]):
    x: T
    y: T
    tags: set[str] = dataclasses.field(default_factory=set)


class Pair(NamedTuple):
    one: int
    two: tuple[int, ...]


class Movie(TypedDict, total=False):
    title: str
    year: int
    released: date


class Model(pydantic.BaseModel):
    id: int
    when: datetime
    nested: list[Model] = []


ORDER = Order(
    uuid.UUID(int=7), [Line("a", Decimal("1.10"), 3)], Color.BLUE, datetime(2030, 1, 1, 12, tzinfo=UTC), b"\xff",
    Order(uuid.UUID(int=8), [], Color.RED, datetime(2030, 1, 2)),
)  # fmt: skip

UNANNOTATED: list[Any] = [
    None, True, 0, -1, 10**30, 0.1, -0.0, 1e300, math.inf, -math.inf, "", "ünï \u2028 🎉", "\ud800", b"", b"\x00\xff",
    bytearray(b"x"), (), (1, "a", None), [(1,), [2]], set(), {1, 2}, frozenset({"a"}), {}, {"a": 1}, {1: "int key"},
    {(1, 2): "tuple key"}, {"$as": "a mark"}, {"": {"": []}}, datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1),
    date(2030, 1, 1), time(12, 30), timedelta(days=-1, microseconds=3), Decimal("1.100"), Decimal("1E+5"),
    uuid.UUID(int=3), complex(1, -2), deque([1, 2]), OrderedDict(b=1, a=2), Counter("aab"), range(3), Fraction(1, 3),
    PurePosixPath("/a/b"), [[[[]]]], {"mixed": [1, 1.0, True, None, (b"x", {Decimal(1)})]},
]  # fmt: skip


async def _handed_over(value: Any, handler: Any, returns: Any = None) -> list[Any]:
    """What a step gives at first and on two replays; or the same refusal three times."""
    seen: list[Any] = []

    @workflow
    async def flow() -> None:
        try:
            seen.append(await step("value", handler, returns=returns))
        except StepError as error:
            seen.append((type(error), error.args))
        await step.sleep("one", "1h")
        await step.sleep("two", "1h")

    await result_of(flow)
    return seen


@pytest.mark.parametrize("value", UNANNOTATED, ids=lambda value: ascii(value)[:40])
async def test_builtins_are_restored_without_an_annotation_in_value_and_type(value: Any) -> None:
    seen = await _handed_over(value, lambda: value)

    assert len(seen) == 3
    assert [type(each) for each in seen] == [type(value)] * 3
    assert [repr(each) for each in seen] == [repr(value)] * 3


async def test_nan_stays_nan() -> None:
    seen = await _handed_over(None, lambda: [math.nan, {"a": -math.nan}])

    assert all(math.isnan(each[0]) and math.isnan(each[1]["a"]) for each in seen)


TYPED: list[tuple[Any, Any]] = [
    (ORDER, Order), ([ORDER], list[Order]), ({"a": ORDER}, dict[str, Order]), (Line("a", Decimal(1)), Line),
    (Point(1, 2, {"a"}), Point[int]), (Point(date(2030, 1, 1), date(2030, 1, 2)), Point[date]),
    (Pair(1, (2, 3)), Pair), ({"title": "x", "released": date(2030, 1, 1)}, Movie), (Color.RED, Color),
    (Level.HIGH, Level), (Mode.FAST, Mode),
    (Model(id=1, when=datetime(2030, 1, 1, tzinfo=UTC), nested=[Model(id=2, when=datetime(2030, 1, 1))]), Model),
    (None, Order | None), (ORDER, Order | None), (uuid.UUID(int=1), uuid.UUID | str), ("text", uuid.UUID | str),
    (Decimal(1), Decimal | str), (Line("a", Decimal(1)), Line | Pair), (Pair(1, ()), Line | Pair),
    ((1, "a", Line("a", Decimal(1))), tuple[int, str, Line]), (frozenset({Color.RED}), frozenset[Color]),
    ({Color.RED: Level.LOW}, dict[Color, Level]), (deque([Color.RED]), deque[Color]), (3, float), ("x", int),
    ([1], Any),
]  # fmt: skip


@pytest.mark.parametrize(("value", "annotation"), TYPED, ids=lambda value: ascii(value)[:30])
async def test_annotated_values_are_restored_in_value_and_type(value: Any, annotation: Any) -> None:
    async def handler() -> Any:
        return value

    handler.__annotations__["return"] = annotation

    for seen in (await _handed_over(value, handler), await _handed_over(value, lambda: value, returns=annotation)):
        assert seen == [value] * 3
        assert [type(each) for each in seen] == [type(value)] * 3


@pytest.mark.parametrize(("value", "annotation"), TYPED, ids=lambda value: ascii(value)[:30])
async def test_workflows_hand_over_their_input_and_their_result_exactly(value: Any, annotation: Any) -> None:
    received: list[Any] = []

    async def fn(value: Any) -> Any:
        received.append(value)
        return value

    fn.__annotations__ = {"value": annotation, "return": annotation}
    flow = workflow(fn)

    async with opened(flow) as runtime:
        run = await runtime.start(flow, value)
        results = [await run.result(), await (await runtime.get(run.id)).result()]

    assert [*received, *results] == [value] * 3
    assert {type(each) for each in (*received, *results)} == {type(value)}


class Plain:
    def __init__(self, number: int) -> None:
        self.number = number


REFUSED: list[tuple[Any, str]] = [
    (object(), "object"), (Plain(1), "Plain"), ([1, Plain(1)], "Plain"), ({"a": {"b": Plain(1)}}, "Plain"),
    (lambda: None, "function"), (iter([1]), "list_iterator"), (Line("a", Decimal(1)), "Line"), ([ORDER], "Order"),
    (Color.RED, "Color"), (Model(id=1, when=datetime(2030, 1, 1)), "Model"), (Pair(1, ()), "Pair"), (int, "type"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "type_name"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
async def test_what_cannot_be_restored_is_refused_at_the_first_run_with_step_and_type(
    value: Any, type_name: str
) -> None:
    calls: list[int] = []

    def handler() -> Any:
        calls.append(1)
        return value

    seen = await _handed_over(value, handler)

    kind, arguments = seen[0]
    assert kind is SerializationError
    assert seen == [(kind, arguments)] * 3
    assert arguments[:2] == ("value", type_name)
    assert "value" in str(SerializationError(*arguments))
    assert type_name in str(SerializationError(*arguments))
    assert calls == [1]  # It is not tried again.


async def test_a_refused_result_is_saved_as_a_failure_of_the_step() -> None:
    @workflow
    async def flow() -> str:
        with pytest.raises(SerializationError):
            await step("value", object)
        return "went on"

    record = await record_of(flow)

    [refused] = record.steps
    assert (refused.state, refused.attempts) == ("failed", 1)
    assert refused.error is not None
    assert "object" in refused.error.message


async def test_a_serialization_error_is_a_step_error_and_fails_the_run_if_nobody_catches_it() -> None:
    @workflow
    async def flow() -> None:
        await step("value", object)

    with pytest.raises(RunFailed) as failed:
        await result_of(flow)

    assert failed.value.cause_type == "SerializationError"
    assert "value" in failed.value.message
    assert "object" in failed.value.message


async def test_a_workflow_result_that_cannot_be_saved_fails_the_run() -> None:
    @workflow
    async def flow() -> Any:
        return object()

    with pytest.raises(RunFailed) as failed:
        await result_of(flow)

    assert failed.value.cause_type == "SerializationError"
    assert "object" in failed.value.message
    assert "flow" in failed.value.message


# Size -----------------------------------------------------------------------------------------------------------------

LIMIT = 8 * 1024 * 1024


@pytest.mark.parametrize(
    "big", ["x" * (LIMIT + 1), "é" * (LIMIT // 2 + 1), ["x" * 1024] * 9_000], ids=["ascii", "utf8", "list"]
)
async def test_a_result_that_is_too_large_is_refused_for_good_with_step_and_size(big: Any) -> None:
    calls: list[int] = []

    def handler() -> Any:
        calls.append(1)
        return big

    seen = await _handed_over(None, handler)

    kind, (path, size, limit) = seen[0]
    assert seen == [seen[0]] * 3
    assert (kind, path, limit) == (PayloadTooLarge, "value", LIMIT)
    assert size > LIMIT
    assert "value" in str(PayloadTooLarge(path, size, limit))
    assert f"{size:,}" in str(PayloadTooLarge(path, size, limit))
    assert calls == [1]


async def test_a_large_result_below_the_limit_is_fine() -> None:
    seen = await _handed_over(None, lambda: "x" * (LIMIT - 100))

    assert [len(each) for each in seen] == [LIMIT - 100] * 3


async def test_a_workflow_result_that_is_too_large_fails_the_run() -> None:
    @workflow
    async def flow() -> str:
        return "x" * (LIMIT + 1)

    with pytest.raises(RunFailed) as failed:
        await result_of(flow)

    assert failed.value.cause_type == "PayloadTooLarge"


async def test_an_input_that_is_too_large_is_refused_before_anything_is_stored() -> None:
    @workflow
    async def flow(text: str) -> int:
        return len(text)

    async with opened(flow) as runtime:
        with pytest.raises(PayloadTooLarge):
            await runtime.start(flow, "x" * (LIMIT + 1))
        assert await runtime.list() == []


async def test_an_item_that_is_too_large_is_collected_like_any_failure() -> None:
    @workflow
    async def flow() -> list[str]:
        results = await step.map("items", lambda size: "x" * size, [1, LIMIT + 1, 2], on_error="collect")
        return [result if isinstance(result, str) else type(result.error).__name__ for result in results]

    assert await result_of(flow) == ["x", "PayloadTooLarge", "xx"]


# What no longer fits --------------------------------------------------------------------------------------------------


async def test_a_saved_result_that_no_longer_fits_pauses_the_run_and_loses_nothing(store: str) -> None:
    @attrs.frozen
    class Before:
        name: str

    @attrs.frozen
    class After:
        name: str
        age: int

    async def before() -> Before:
        return Before("me")

    async def after() -> After:
        raise AssertionError("it is saved")

    @workflow(name="changing")
    async def old() -> None:
        await step("person", before)
        await step.listen("go")

    @workflow(name="changing")
    async def new() -> None:
        await step("person", after)
        await step.listen("go")

    async with opened(old, store=store) as runtime:
        await reached(await runtime.start(old, run_id="r"), RunStatus.LISTENING)
    async with opened(new, store=store) as runtime:
        run = await runtime.get("r")
        await run.send("go")
        await reached(run, RunStatus.PAUSED)
        record = await run.describe()
        assert "person" in (record.reason or "")
        assert steps_of(record)["person"].state == "completed"
    async with opened(old, store=store) as runtime:  # It resumes by itself with code that fits.
        assert await (await runtime.get("r")).result() is None


async def test_an_input_that_no_longer_fits_pauses_the_run(store: str) -> None:
    @workflow(name="changing-input")
    async def old(number: int) -> None:
        await step.listen("go")

    @workflow(name="changing-input")
    async def new(number: int, another: int) -> None:
        await step.listen("go")

    async with opened(old, store=store) as runtime:
        await reached(await runtime.start(old, 1, run_id="r"), RunStatus.LISTENING)
    async with opened(new, store=store) as runtime:
        run = await runtime.get("r")
        await run.send("go")
        await reached(run, RunStatus.PAUSED)
        assert (await run.describe()).reason


async def test_nothing_is_ever_restored_by_a_name_from_the_store() -> None:
    """Data that looks like our own marks stays data."""
    forged = {"$as": "os.system", "$any": ["echo"], "$datetime": "2030-01-01T00:00:00", "$set": [1]}

    seen = await _handed_over(forged, lambda: dict(forged))

    assert seen == [forged] * 3


async def test_results_may_be_subclasses_of_builtins_only_if_they_come_back_as_such() -> None:
    class Text(str):
        __slots__ = ()

    seen = await _handed_over(None, lambda: Text("x"))

    assert seen[0][0] is SerializationError or [type(each) for each in seen] == [Text] * 3
