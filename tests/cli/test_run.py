"""``flowgraph run`` in processes of its own: results, exit codes, and what it says on the way."""

from __future__ import annotations

import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Flows, Here, Shell

GREET = """
@workflow
async def greet(name: str, times: int = 1):
    return await step("greet", lambda: [f"Hello, {name}!"] * times)
"""

GATED = """
@workflow
async def gated(steps: int = 3):
    async def work(n):
        with open("bodies.txt", "a") as file:
            print(n, file=file)
        while n == 1 and not Path("go").exists():
            await asyncio.sleep(0.005)
        return n
    return [await step(f"work-{n}", work, n) for n in range(steps)]
"""

LISTENS = """
@workflow
async def asks():
    await step("ask", lambda: None)
    return await step.listen("answer", event="answered")
"""


def run_id_of(said: str) -> str:
    """The run's id, as the first line tells it."""
    return said.split()[1]


# Results --------------------------------------------------------------------------------------------------------------


def test_the_result_is_one_json_value_on_stdout_and_all_else_is_on_stderr(flows: Flows, shell: Shell) -> None:
    file = flows(
        """
        import subprocess
        print("while it is loaded")
        async def chat():
            print("from a step")
            subprocess.run(["echo", "from a process"])
            return {"é": (1, 2)}
        @workflow
        async def noisy():
            return await step("chat", chat)
    """.replace("\n        ", "\n")
    )
    done = shell("run", file)
    assert (done.code, done.out) == (0, '{"é":[1,2]}\n')
    assert {"while it is loaded", "from a step", "from a process"} < set(done.err.splitlines())
    assert f"Run {run_id_of(done.err[done.err.index('Run ') :])} of noisy" in done.err
    assert "chat: done in" in done.err


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (['{"name": "Ada", "times": 2}'], ["Hello, Ada!", "Hello, Ada!"]),
        (['["Ada", 2]'], ["Hello, Ada!", "Hello, Ada!"]),
        (['"Ada"'], ["Hello, Ada!"]),
    ],
)
def test_an_object_is_keywords_an_array_positions_and_anything_else_one_argument(
    flows: Flows, here: Here, arguments: list[str], result: list[str]
) -> None:
    done = here("run", flows(GREET), "--input", *arguments)
    assert (done.code, done.value) == (0, result)


def test_input_comes_from_stdin_and_files_too(flows: Flows, shell: Shell, here: Here) -> None:
    file = flows(GREET)
    assert shell("run", file, "-i", "-", stdin='{"name": "Ada"}').value == ["Hello, Ada!"]
    Path("input.json").write_text('{"name": "Grace"}')
    assert here("run", file, "-i", "@input.json").value == ["Hello, Grace!"]


def test_annotations_say_what_the_input_becomes(flows: Flows, here: Here) -> None:
    file = flows("""
from dataclasses import dataclass
from datetime import date
@dataclass
class Order:
    id: int
    due: date
@workflow
async def ship(order: Order):
    return [type(order).__name__, order.due.year]
""")
    done = here("run", file, "-i", '{"order": {"id": 7, "due": "2030-01-31"}}')
    assert done.value == ["Order", 2030]


def test_a_terminal_without_unicode_gets_escapes(flows: Flows, shell: Shell) -> None:
    file = flows("@workflow(name='caf\\xe9')\nasync def cafe(): return '\\xe9\\u2026'\n")
    done = shell("run", file, PYTHONIOENCODING="ascii")
    assert (done.out, done.value) == ('"\\u00e9\\u2026"\n', "é…")
    assert "  caf\\xe9 " in shell("runs", "list", PYTHONIOENCODING="ascii").out


def test_a_target_can_be_a_module(flows: Flows, shell: Shell) -> None:
    flows(GREET, "greetings/polite.py")
    done = shell("run", "greetings.polite:greet", "-i", '["Ada"]')
    assert done.value == ["Hello, Ada!"]


def test_steps_of_a_file_can_run_in_a_process_pool(flows: Flows, shell: Shell) -> None:
    file = flows("""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
def square(n):
    return [n * n, os.getpid()]
@workflow
async def squares():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        value, pid = await step("square", square, 7, executor=pool)
    return [value, pid != os.getpid()]
""")
    done = shell("run", file)
    assert done.value == [49, True], done.err


def test_with_json_the_record_is_printed_however_the_run_ends(flows: Flows, here: Here) -> None:
    file = flows("@workflow\nasync def fails():\n    await step.fail('no account')\n")
    done = here("run", file, "--json", "--run-id", "r", "--tag", "team=red", "--durability", "relaxed")
    record = done.value
    assert done.code == 1
    assert (record["id"], record["status"], record["tags"]) == ("r", "failed", {"team": "red"})
    assert (record["error"]["message"], record["output"], record["steps"]) == ("no account", None, [])
    assert list(record)[:3] == ["id", "workflow", "status"]
    assert record["created_at"].endswith("Z")


# Ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('a\\nb')", "Run 'r' failed: ValueError: a b"),
        ("await step.fail('the account is closed')", "Run 'r' failed: the account is closed"),
        ("step.abort()", "Run 'r' was aborted"),
        ("await asyncio.sleep(9)", "Run 'r' timed out: it was executing for more than 0.05 s"),
    ],
)
def test_a_run_that_ends_badly_says_why_in_one_line(flows: Flows, here: Here, body: str, said: str) -> None:
    done = here("run", flows(f"@workflow(timeout=0.05)\nasync def bad():\n    {body}\n"), "--run-id", "r")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == f"{said}. Look at it with: flowgraph runs show r"


def test_the_command_to_look_with_names_the_store(flows: Flows, here: Here) -> None:
    file = flows("@workflow\nasync def bad():\n    step.abort()\n")
    done = here("run", file, "--run-id", "r 1", "--store", "sqlite:///my runs.db")
    assert done.err.splitlines()[-1].endswith("flowgraph runs show 'r 1' --store 'sqlite:///my runs.db'")


def test_plain_lines_tell_of_retries_failures_and_maps(flows: Flows, here: Here) -> None:
    file = flows("""
from flowgraph import RetryPolicy
@workflow(step_retry=RetryPolicy(initial=0.01, jitter=False))
async def busy():
    async def shaky():
        if step.info().attempt < 3:
            raise ConnectionError("reset")
    await step("shaky", shaky)
    await step.progress("half way", done=1, total=2)
    async def work(n):
        if n == 7:
            raise ValueError("seven")
    await step.map("work", work, range(20), on_error="collect", max_attempts=2)
""")
    lines = [line for line in here("run", file).err.splitlines() if not line.startswith("To come: ")]
    for number in (1, 2):
        said = f"shaky: attempt {number} failed: ConnectionError: reset; the next (now|in 1s)"
        assert re.fullmatch(said, lines[number]), lines[number]
    assert lines[3].startswith("shaky: done in")
    assert lines[3].endswith("after 3 attempts (1 of 2 steps)")
    assert lines[4] == "half way: 1/2"
    assert "work[7]: failed after 2 attempts: ValueError: seven" in lines
    assert next(line for line in lines if line.startswith("work: ")) == "work: 2/20 (10 %)"
    assert lines[-1].startswith("work: 20 items done in")
    assert lines[-1].endswith(", 1 failed (2 of 2 steps)")


# Run ids --------------------------------------------------------------------------------------------------------------


def test_a_killed_run_goes_on_from_its_last_finished_step(flows: Flows, shell: Shell) -> None:
    file = flows(GATED)
    first = shell.start("run", file, "--run-id", "r")
    first.until("work-0: done")
    first.kill()
    Path("go").touch()
    second = shell("run", file, "--run-id", "r")
    assert (second.code, second.value) == (0, [0, 1, 2])
    assert second.err.splitlines()[0] == "Run r of gated goes on after 1 finished step"
    assert Path("bodies.txt").read_text().split().count("0") == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_continue_it(flows: Flows, shell: Shell, signum: int, code: int) -> None:
    file = flows(GATED)
    running = shell.start("run", file, "--store", "sqlite:///s.db")
    run_id = run_id_of(running.until("work-0: done"))
    running.signal(signum)
    done = running.end()
    assert (done.code, done.out) == (code, "")
    again = f"flowgraph run {file} --run-id {run_id} --store sqlite:///s.db"
    assert done.err.splitlines()[-1] == f"Interrupted; the run is unfinished. Continue it with: {again}"
    Path("go").touch()
    assert shell(*again.split()[1:]).value == [0, 1, 2]


def test_a_second_interruption_does_not_wait_for_a_thread(flows: Flows, shell: Shell) -> None:
    file = flows("""
@workflow
async def stuck():
    def work():
        print("at work", file=sys.stderr, flush=True)
        while not Path("go").exists():
            time.sleep(0.005)
        return 5
    return await step("work", work)
""")
    running = shell.start("run", file, "--run-id", "r")
    running.until("at work")
    running.signal(signal.SIGINT)
    running.until("Waiting for steps that are at work in threads; Ctrl-C again leaves at once.")
    running.signal(signal.SIGINT)
    done = running.end()
    assert done.code == 130
    assert done.err.splitlines()[-1].endswith(f"Continue it with: flowgraph run {file} --run-id r")
    Path("go").touch()
    assert shell("run", file, "--run-id", "r").value == 5


def test_an_interruption_while_the_target_is_loaded(flows: Flows, shell: Shell) -> None:
    file = flows("print('loading', flush=True)\nwhile True:\n    time.sleep(0.005)\n")
    running = shell.start("run", file)
    running.until("loading\n")
    running.signal(signal.SIGINT)
    done = running.end()
    assert (done.code, done.err.splitlines()[-1]) == (130, "Interrupted before the run was started.")


def test_a_finished_run_prints_its_result_again(flows: Flows, here: Here) -> None:
    file = flows(GREET)
    first = here("run", file, "-i", '["Ada"]', "--run-id", "r")
    for arguments in ([], ["-i", '{"name": "Ada"}']):
        again = here("run", file, "--run-id", "r", *arguments)
        assert (again.code, again.value) == (0, first.value)
        assert again.sentence == "Run r of greet is completed already"


def test_a_run_of_this_id_with_other_input_or_of_another_workflow(flows: Flows, here: Here) -> None:
    file = flows(f"{GREET}\n@workflow\nasync def other(): ...\n")
    assert here("run", f"{file}:greet", "-i", '["Ada"]', "--run-id", "r").code == 0
    done = here("run", f"{file}:greet", "-i", '["Eve"]', "--run-id", "r")
    assert done.code == 2
    assert done.sentence.startswith("flowgraph: Run 'r' exists already, with the input ")
    done = here("run", f"{file}:other", "--run-id", "r")
    assert done.code == 2
    assert done.sentence == (
        "flowgraph: Run 'r' exists already, with the workflow 'greet' instead of 'other'. Choose another run id."
    )


def test_a_run_that_another_process_executes_is_waited_for(flows: Flows, shell: Shell) -> None:
    file = flows(GATED)
    first = shell.start("run", file, "--run-id", "r")
    first.until("work-0: done")
    second = shell.start("run", file, "--run-id", "r")
    second.until("The run is running: by another worker")
    Path("go").touch()
    assert second.end().value == first.end().value == [0, 1, 2]
    assert Path("bodies.txt").read_text().split() == ["0", "1", "2"]


def test_a_paused_run_says_why_while_it_is_waited_for(flows: Flows, shell: Shell) -> None:
    file = flows(LISTENS, "asking.py")
    first = shell.start("run", file, "--run-id", "r")
    first.until("answer: listening for 'answered'")
    first.signal(signal.SIGINT)
    first.end()
    assert shell("runs", "send", "r", "answered").code == 0
    flows(LISTENS.replace('step("ask", lambda: None)', 'step.sleep("ask", 0)'), "asking.py")
    second = shell.start("run", file, "--run-id", "r")
    second.until("The run is paused: incompatible code: step 'ask': it was a step when it ran, and now it is a sleep")
    second.signal(signal.SIGINT)
    assert second.end().code == 130


def test_what_a_run_waits_for_is_told_when_it_goes_on(flows: Flows, shell: Shell) -> None:
    file = flows(LISTENS)
    first = shell.start("run", file, "--run-id", "r")
    first.until("answer: listening")
    first.kill()
    second = shell.start("run", file, "--run-id", "r")
    second.until("Run r of asks goes on after 1 finished step; answer is listening for 'answered'")
    assert shell("runs", "send", "r", "answered", '{"yes": true}').code == 0
    assert second.end().value == {"yes": True}


def test_a_sleeping_run_is_waited_for(flows: Flows, here: Here) -> None:
    file = flows("@workflow\nasync def naps():\n    await step.sleep('nap', 1.2)\n    return 'awake'\n")
    done = here("run", file)
    assert done.value == "awake"
    assert done.err.splitlines()[1].startswith("nap: sleeping until ")


# Mistakes -------------------------------------------------------------------------------------------------------------


def test_input_that_does_not_fit_says_what_would(flows: Flows, here: Here) -> None:
    file = flows(GREET)
    signature = "Workflow 'greet' takes (name: str, times: int = 1)"
    example = 'Give the arguments with --input \'{"name": …, "times": …}\'.'
    assert here("run", file).sentence == f"flowgraph: {signature}: missing a required argument: 'name'. {example}"
    done = here("run", file, "-i", '{"nam": 1}')
    assert done.code == 2
    assert done.sentence.startswith(f"flowgraph: {signature}: ")
    done = here("run", file, "-i", '{"name": {"$nothing": 1}}')
    assert done.sentence.startswith("flowgraph: The input does not fit 'greet' (name: str, times: int = 1): ")
    assert not Path(".flowgraph").exists() or here("runs", "list", "--json").value == []


def test_a_workflow_without_parameters_takes_no_input(flows: Flows, here: Here) -> None:
    done = here("run", flows("@workflow\nasync def bare(): ...\n"), "-i", "5")
    assert done.sentence == "flowgraph: Workflow 'bare' takes (): too many positional arguments. It takes no input."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.py"], "The file nowhere.py does not exist."),
        (["run", "wf.py", "-i", "{"], "--input is no valid JSON: "),
        (["run", "wf.py", "--tag", "x"], "--tag x: write it as name=value."),
        (["run", "wf.py", "--run-id", ""], "run_id='': it is empty."),
        (["run", "wf.py", "--run-id", "x" * 300], "run_id='xxx"),
        (["run", "wf.py", "--durability", "some"], "Invalid value for '--durability': 'some' is not one of"),
        (
            ["run", "wf.py", "--store", "mysql://x"],
            "'mysql://x' is no store URL that flowgraph knows; write sqlite:///",
        ),
        (["run", "wf.py", "--store", "sqlite:///."], "The store "),
        (["run", "wf.py", "--bogus"], "No such option"),
        (["run"], "Missing argument 'TARGET'. See: flowgraph run --help"),
        (["bogus"], "No such command 'bogus'"),
    ],
)
def test_each_mistake_is_one_line(flows: Flows, here: Here, arguments: list[str], said: str) -> None:
    flows("@workflow\nasync def wf(): ...\n", "wf.py")
    done = here(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith(f"flowgraph: {said}")


def test_a_damaged_store(flows: Flows, here: Here) -> None:
    Path("s.db").write_bytes(b"this is no database" * 500)
    done = here("run", flows(GREET), "-i", '["Ada"]', "--store", "sqlite:///s.db")
    assert done.code == 2
    assert "is no SQLite database; name another file" in done.sentence


def test_a_store_of_a_newer_version(flows: Flows, here: Here) -> None:
    file = flows(GREET)
    assert here("run", file, "-i", '["Ada"]', "--store", "sqlite:///s.db").code == 0
    with closing(sqlite3.connect("s.db")) as connection, connection:
        (columns,) = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE name = 'migration'")]
        names = [part.split()[0] for part in columns[columns.index("(") + 1 :].split(",")]
        (known,) = connection.execute(f"SELECT {', '.join(names[:2])} FROM migration ORDER BY 1 DESC LIMIT 1")
        connection.execute(f"INSERT INTO migration ({', '.join(names[:2])}) VALUES (999, ?)", [known[1]])
    for arguments in (["run", file, "-i", '["Ada"]'], ["runs", "list"]):
        done = here(*arguments, "--store", "sqlite:///s.db")
        assert done.code == 2
        assert "has schema version 999" in done.sentence
        assert "Upgrade flowgraph" in done.sentence


def test_a_store_that_another_process_is_writing(flows: Flows, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowgraph.stores.sqlite.PATIENCE_S", 0.05)
    monkeypatch.setattr("flowgraph.stores.writer.GIVE_UP_S", 0.1)
    file = flows(GREET)
    assert here("run", file, "-i", '["Ada"]', "--store", "sqlite:///s.db").code == 0
    with closing(sqlite3.connect("s.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        done = here("run", file, "-i", '["Eve"]', "--store", "sqlite:///s.db")
        connection.execute("ROLLBACK")
    assert done.code == 2
    assert "is being written by another process; try again" in done.sentence


def test_where_the_store_is(flows: Flows, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["run", flows(GREET), "-i", '["Ada"]']
    here(*arguments)
    assert Path(".flowgraph/flowgraph.db").is_file()
    Path("pyproject.toml").write_text('[tool.flowgraph]\nstore = "sqlite:///project.db"\n')
    here(*arguments)
    assert Path("project.db").is_file()
    monkeypatch.setenv("FLOWGRAPH_STORE", "sqlite:///environment.db")
    here(*arguments)
    assert Path("environment.db").is_file()
    here(*arguments, "--store", "sqlite:///option.db")
    assert Path("option.db").is_file()


def test_a_store_that_fails_in_the_middle_of_a_run(flows: Flows, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    file = flows("""
import sqlite3
@workflow
async def locks(free: bool):
    async def lock():
        connection = sys.modules["held"] = sqlite3.connect("s.db", isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN EXCLUSIVE")
    await step("lock", lock)
""")
    monkeypatch.setattr("flowgraph.stores.sqlite.PATIENCE_S", 0.05)
    monkeypatch.setattr("flowgraph.stores.writer.GIVE_UP_S", 0.1)
    done = here("run", file, "-i", "[true]", "--run-id", "r", "--store", "sqlite:///s.db")
    held: Any = sys.modules.pop("held")
    held.close()
    assert (done.code, done.out) == (2, "")
    assert "is being written by another process; try again" in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].endswith(
        f"the run is unfinished. Continue it with: flowgraph run {file} --run-id r --store sqlite:///s.db"
    )


def test_an_error_of_ours_is_not_hidden(flows: Flows, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowgraph.cli.run.display_for", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        here("run", flows(GREET), "-i", '["Ada"]')
