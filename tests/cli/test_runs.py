"""``flowgraph runs``: listing, showing, sending, cancelling."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowgraph.cli.commands import _STATUSES
from flowgraph.model import RunStatus
from tests.cli.shell import Flows, Here, Shell

SHOP = """
from flowgraph import RetryPolicy
quick = RetryPolicy(initial=0.001, jitter=False)
@workflow(step_retry=quick)
async def shop(order: str = "o-1"):
    async def shaky(n):
        if step.info().attempt < 3:
            raise ConnectionError("reset by peer")
        return n
    async def check(n):
        await step("weigh", shaky, n)
        if n == 3:
            raise ValueError("too heavy")
        return n
    await step.progress("checking", done=1, total=4)
    await step.map("check", check, range(5), on_error="collect", max_attempts=2)
    async def charge():
        raise RuntimeError("card declined")
    await step("charge", charge, max_attempts=2)
"""

ASKS = """
@workflow
async def asks(who: str = "anna"):
    await step("ask", lambda: None)
    return await step.listen("answer", event="answered", timeout="1h")
"""


@pytest.fixture
def waiting_run(flows: Flows, shell: Shell, here: Here) -> str:
    """The id of a run that listens, and that no process executes."""
    running = shell.start("run", flows(ASKS), "--run-id", "r-1", "--tag", "team=red")
    running.until("answer: listening")
    while not here("runs", "list", "--status", "listening", "--json").value:
        pass
    running.kill()
    return "r-1"


def columns(text: str) -> list[list[str]]:
    return [re.split(r"  +", line.strip()) for line in text.splitlines() if line.strip()]


# list -----------------------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(flows: Flows, here: Here) -> None:
    file = flows(
        "@workflow(name='daily-report')\nasync def good(): ...\n@workflow\nasync def bad():\n    step.abort()\n"
    )
    here("run", f"{file}:good", "--run-id", "first")
    here("run", f"{file}:bad", "--run-id", "second")
    head, second, first = columns(here("runs", "list").out)
    assert head == ["RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK"]
    assert second[:3] == ["second", "bad", "aborted"]
    assert first[:3] == ["first", "daily-report", "completed"]


def test_a_list_is_narrowed_down_and_paged(flows: Flows, here: Here) -> None:
    file = flows("@workflow\nasync def a(): ...\n@workflow\nasync def b(): ...\n")
    for number in range(4):
        here("run", f"{file}:{'ab'[number % 2]}", "--run-id", f"r{number}", "--tag", f"half={number // 2}")

    def ids(*arguments: str) -> list[str]:
        return [record["id"] for record in here("runs", "list", "--json", *arguments).value]

    assert ids() == ["r3", "r2", "r1", "r0"]
    assert ids("--workflow", "a") == ["r2", "r0"]
    assert ids("--tag", "half=1", "--workflow", "b") == ["r3"]
    assert ids("--status", "failed") == []
    assert ids("--limit", "2") == ["r3", "r2"]
    assert ids("--limit", "2", "--after", "r2") == ["r1", "r0"]
    assert ids("--since", "1h") == ids()
    assert ids("--until", "1h") == []
    assert ids("--since", "2030-01-01T00:00+00:00", "--until", "2031-01-01") in ([], ids())


def test_an_empty_list_says_so_with_the_store(flows: Flows, here: Here) -> None:
    here("run", flows("@workflow\nasync def a(): ...\n"), "--store", "sqlite:///s.db")
    done = here("runs", "list", "--status", "failed", "--store", "sqlite:///s.db")
    assert (done.code, done.out, done.sentence) == (0, "", "There are no such runs in sqlite:///s.db.")


def test_the_statuses_to_choose_from_are_those_that_there_are() -> None:
    assert _STATUSES == list(RunStatus)


# show -----------------------------------------------------------------------------------------------------------------


def test_a_run_is_shown_with_its_steps_attempts_and_errors(flows: Flows, here: Here) -> None:
    here("run", flows(SHOP), "--run-id", "r", "-i", '{"order": "o-7"}', "--tag", "team=red")
    shown = here("runs", "show", "r")
    assert shown.code == 0
    facts, steps = shown.out.split("\n\n")
    told = dict(line.split(maxsplit=1) for line in facts.splitlines())
    assert (told["run"], told["workflow"], told["status"], told["tags"]) == ("r", "shop", "failed", "team=red")
    assert told["input"] == '("o-7")'
    assert told["error"] == "StepFailed: Step 'charge' failed after 2 attempts: RuntimeError: card declined"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, after [\d.]+m?s", told["finished"])
    table = [[cell for cell in row if not re.fullmatch(r"[\d.]+m?s", cell)] for row in columns(steps)]
    assert table == [
        ["✗ shop", "failed"],
        ["» checking", "progress", "━━━━━━────────────────── 1/4"],
        ["✓ check", "done", "5 items · 1 failed"],
        ["✗ [3]", "failed", "2 attempts"],
        ["✗ attempt 1", "failed", "ValueError: too heavy"],
        ["✗ attempt 2", "failed", "ValueError: too heavy"],
        ["✗ charge", "failed", "2 attempts"],
        ["✗ attempt 1", "failed", "RuntimeError: card declined"],
        ["✗ attempt 2", "failed", "RuntimeError: card declined"],
    ]


def test_tracebacks_are_shown_where_they_are_asked_for(flows: Flows, here: Here) -> None:
    file = flows(SHOP)
    here("run", file, "--run-id", "r")
    assert "Traceback" not in here("runs", "show", "r").out
    out = here("runs", "show", "r", "--tracebacks").out
    assert "charge, attempt 2\nTraceback (most recent call last):" in out
    assert f'{file}", line ' in out


def test_what_a_run_waits_for_is_shown_with_the_command_that_sends_it(waiting_run: str, here: Here) -> None:
    shown = here("runs", "show", waiting_run)
    assert re.search(
        r"^waits +answer: listening for the event 'answered' since [\d:]+ \(\d+s\), until [\d:]+$",
        shown.out,
        re.MULTILINE,
    )
    assert "flowgraph runs send r-1 answered '…'" in shown.out
    assert ["○ asks", "listening"] == columns(shown.out.split("\n\n")[1])[0][:2]


def test_a_run_as_json(waiting_run: str, here: Here) -> None:
    record = here("runs", "show", waiting_run, "--json").value
    assert (record["id"], record["status"], record["tags"]) == ("r-1", "listening", {"team": "red"})
    assert [step["path"] for step in record["steps"]] == ["ask", "answer"]
    assert record["waits"][0]["event"] == "answered"
    assert record["waits"][0]["until"].endswith("Z")


def test_output_goes_to_a_pipe_that_is_closed_early(waiting_run: str, shell: Shell, folder: Path) -> None:
    import subprocess

    from tests.cli.shell import ROOT, command

    process = subprocess.Popen(
        command(["runs", "show", waiting_run, "--json"]), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait(20)
    process.stderr.close()


# send and cancel ------------------------------------------------------------------------------------------------------


def test_an_event_is_sent_once_for_one_id(waiting_run: str, here: Here, shell: Shell) -> None:
    for _ in range(2):
        done = here("runs", "send", waiting_run, "answered", '{"yes": 1}', "--id", "e-1")
        assert (done.code, done.sentence) == (0, "Sent 'answered' to run r-1.")
    (file,) = Path().glob("flow_*.py")
    assert shell("run", str(file), "--run-id", waiting_run).value == {"yes": 1}
    done = here("runs", "send", waiting_run, "answered")
    assert (done.code, done.sentence) == (2, "flowgraph: Run 'r-1' is finished (completed).")


def test_an_event_without_a_payload_has_null(waiting_run: str, here: Here, shell: Shell) -> None:
    assert here("runs", "send", waiting_run, "answered").code == 0
    (file,) = Path().glob("flow_*.py")
    assert shell("run", str(file), "--run-id", waiting_run).out == "null\n"


def test_a_run_is_cancelled(waiting_run: str, here: Here) -> None:
    assert here("runs", "cancel", waiting_run).sentence == "Run r-1 is cancelled."
    assert here("runs", "show", waiting_run, "--json").value["status"] == "cancelled"
    done = here("runs", "cancel", waiting_run)
    assert (done.code, done.sentence) == (2, "flowgraph: Run 'r-1' is finished (cancelled).")


def test_a_run_that_is_executed_elsewhere_is_cancelled_there(flows: Flows, shell: Shell, here: Here) -> None:
    file = flows("""
@workflow
async def endless():
    async def work():
        print("at work", file=sys.stderr, flush=True)
        await asyncio.Event().wait()
    await step("work", work)
""")
    running = shell.start("run", file, "--run-id", "r")
    running.until("at work")
    assert here("runs", "cancel", "r").sentence.startswith("Run r ")
    done = running.end()
    assert done.code == 1
    assert done.err.splitlines()[-1] == "Run 'r' was cancelled. Look at it with: flowgraph runs show r"


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "r"], ["show", "r", "--json"], ["send", "r", "e"], ["cancel", "r"]],
)
def test_no_command_makes_a_store(here: Here, folder: Path, arguments: list[str]) -> None:
    for store in ([], ["--store", "sqlite:///below/s.db"]):
        done = here("runs", *arguments, *store)
        assert (done.code, done.out) == (2, "")
        assert done.sentence.startswith(f"flowgraph: There is no store at {folder}")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nope"], "There is no run 'nope' in this store. `flowgraph runs list` shows which there are."),
        (["show", "nope", "--json"], "There is no run 'nope' in this store."),
        (["send", "nope", "e"], "There is no run 'nope' in this store."),
        (["cancel", "nope"], "There is no run 'nope' in this store."),
        (["list", "--after", "nope"], "There is no run 'nope' in this store."),
        (["list", "--after", "nope", "--json", "--tag", "a=b"], "There is no run 'nope' in this store."),
        (["list", "--since", "soon"], "--since soon: write a moment such as"),
        (["list", "--until", "-1h"], "--until -1h: write a moment such as"),
        (["list", "--tag", "team"], "--tag team: write it as name=value."),
        (["list", "--limit", "0"], "Invalid value for '--limit': 0 is not in the range x>=1."),
        (["list", "--limit", "few"], "Invalid value for '--limit': 'few' is not a valid integer range."),
        (["list", "--status", "done"], "Invalid value for '--status': 'done' is not one of 'pending', 'running'"),
        (["send", "r-1", "answered", "{yes"], "the payload is no valid JSON: Expecting property name"),
        (["send", "r-0", ""], "event='': it is empty."),
        (["send", "r-1"], "Missing argument 'EVENT'. See: flowgraph runs send --help"),
        (["show"], "Missing argument 'ID'. See: flowgraph runs show --help"),
        (["shew"], "No such command 'shew'."),
        (["list", "--store", "s.db"], "'s.db' is no store URL"),
    ],
)
def test_each_mistake_is_one_line(flows: Flows, here: Here, arguments: list[str], said: str) -> None:
    here("run", flows("@workflow\nasync def a(): ...\n"), "--run-id", "r-0")
    done = here("runs", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith(f"flowgraph: {said}"), done.sentence


def test_a_damaged_store_is_one_line(here: Here) -> None:
    Path("s.db").write_text("not a database " * 500)
    done = here("runs", "list", "--store", "sqlite:///s.db")
    assert (done.code, done.out) == (2, "")
    assert "is no SQLite database" in done.sentence
