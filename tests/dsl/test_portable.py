"""Handlers under `@step` that leave the process."""

import asyncio
import functools
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from flowgraph.dsl import portable, step
from tests.dsl import pool_steps
from tests.dsl.pool_steps import Machine, double, undecorated


def test_a_decorated_function_does_not_pickle_by_itself():
    with pytest.raises(pickle.PicklingError, match="not the same object"):
        pickle.dumps(double.fn)


@pytest.mark.parametrize(
    ("handler", "args", "expected"),
    [
        (double.fn, (2,), 4),
        (functools.partial(double.fn, plus=1), (2,), 5),
        (functools.partial(double.fn, 3, plus=1), (), 7),
        (Machine(5).times.fn, (2,), 10),
        (undecorated, (2,), 6),
        (len, ("abc",), 3),
    ],
)
def test_a_portable_handler_survives_pickle(handler, args, expected):
    assert pickle.loads(pickle.dumps(portable(handler)))(*args) == expected


def test_a_class_method_is_portable_too(scope):
    asyncio.run(Machine.build(6))
    _, _, handler, args, _ = scope.calls[0]
    sent = pickle.dumps((portable(handler), args))
    received, arguments = pickle.loads(sent)
    assert received(*arguments) == 6


def test_what_pickles_anyway_comes_back_as_it_is():
    local = step("local")(lambda: 1)
    for handler in (undecorated, len, Machine, functools.partial(undecorated, 1), local.fn):
        assert portable(handler) is handler


def test_a_portable_handler_says_what_it_stands_for():
    assert repr(portable(double.fn)) == f"PortableHandler({pool_steps.__name__!r}, 'double')"


def test_a_portable_handler_whose_step_is_gone_says_so(monkeypatch):
    handler = portable(double.fn)
    monkeypatch.delattr(pool_steps, "double")
    with pytest.raises(AttributeError, match=r"module 'tests\.dsl\.pool_steps' has no step 'double' in this process"):
        handler(2)


def test_a_portable_handler_runs_in_a_spawned_pool():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(portable(double.fn), 21).result() == 42
        assert pool.submit(portable(functools.partial(double.fn, plus=1)), 1).result() == 3


SCRIPT = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from flowgraph.dsl import portable, step

@step("double")
def double(number):
    return number * 2

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(pool.submit(portable(double.fn), 21).result())
"""


def test_a_step_of_a_script_runs_in_a_spawned_pool(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("42\n", "")
