"""`flowgraph lint` and `flowgraph rule`: options, exit codes, and where what is told goes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from flowgraph import compile_source
from flowgraph.cli.commands import flowgraph
from flowgraph.lint import FORMATS, all_rules
from tests.cli.shell import ROOT, WATCHDOG_S, Here, Shell, command, read_until

FLOW = """\
from flowgraph import step, workflow

@workflow
async def flow():
    await step("one", print)
"""
TWICE = f'{FLOW}    await step("one", print)\n'
UNUSED = f"{FLOW.rstrip()}  # noqa: FG107\n"


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text, encoding="utf-8")


def test_nothing_wrong(here: Here) -> None:
    write(flow=FLOW)
    assert here("lint") == (0, "All checks passed: 1 workflow in 1 file.\n", "")


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (TWICE, [], 1),
        (TWICE, ["--ignore", "FG101"], 0),
        (TWICE, ["--select", "FG2,FG3"], 0),
        (TWICE, ["--exclude", "flow.py"], 0),
        (UNUSED, [], 0),
        (UNUSED, ["--strict"], 1),
        (UNUSED, ["--strict", "--ignore", "unused-ignore"], 0),
        (f"{FLOW}    import asyncio; await asyncio.Event().wait()\n", ["--strict", "--extend-select", "FG307"], 0),
        ("import flowgraph\ndef f(:\n", [], 1),
    ],
)
def test_exit_codes(here: Here, text: str, options: list[str], code: int) -> None:
    write(flow=text)
    assert here("lint", *options).code == code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.py"], "flowgraph: nowhere.py: there is no such file or folder"),
        (["--select", "FG999"], "flowgraph: 'FG999': there is no rule of this code or name"),
        (["--fix", "--diff"], "flowgraph: --fix changes files and --diff does not: give one of them."),
        (["-", "flow.py"], "flowgraph: - reads the one file to check from stdin: give no other path beside it."),
        (
            ["--stdin-filename", "a.py"],
            "flowgraph: --stdin-filename names what is read from stdin: give - as the path.",
        ),
        (["--output-file", "no/where.txt"], "flowgraph: no/where.txt cannot be written: No such file or directory."),
        (["--output-format", "xml"], "flowgraph: Invalid value for '--output-format': 'xml' is not one of 'full'"),
        (["--colour"], "flowgraph: No such option"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(here: Here, arguments: list[str], sentence: str) -> None:
    write(flow=FLOW)
    done = here("lint", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[tool.flowgraph.lint]\nselekt = []\n", "[tool.flowgraph.lint] has the unknown key 'selekt'"),
        ("[tool.flowgraph]\nlint = 3\n", "[tool.flowgraph.lint] is 3, not a table"),
        ("[tool]\nflowgraph = 1\n", "[tool.flowgraph] is 1, not a table"),
        ("tool = 'flowgraph'\n", "[tool] is 'flowgraph', not a table"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line(here: Here, text: str, sentence: str) -> None:
    Path("pyproject.toml").write_text(text)
    done = here("lint")
    assert (done.code, done.out) == (2, "")
    assert f"pyproject.toml: {sentence}" in done.sentence


def test_options_come_before_the_settings_of_the_project(here: Here) -> None:
    Path("pyproject.toml").write_text('[tool.flowgraph.lint]\nselect = ["FG3"]\nignore = ["FG101"]\n')
    write(flow=f'{TWICE}    await step("", print)\n')

    def codes(*options: str) -> list[str]:
        return [found["code"] for found in here("lint", "--output-format", "json", *options).value]

    assert codes() == []
    assert codes("--select", "FG1") == ["FG101", "FG107"]
    assert codes("--select", "FG1", "--ignore", "FG107") == ["FG101"]
    assert codes("--extend-select", "FG101") == ["FG101"]
    assert codes("--extend-select", "FG1") == ["FG107"]


def test_a_tool_that_breaks_says_so_and_exits_with_2(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowgraph.lint.rules.invalid_name import InvalidName

    monkeypatch.setattr(InvalidName, "check", lambda *_: 1 / 0)
    write(flow=TWICE)
    done = here("lint", "--output-format", "concise")
    assert done.code == 2
    assert done.sentence.startswith("flowgraph: rule FG107 broke on flow.py: ZeroDivisionError: division by zero.")
    assert "flow.py:6:16: FG101" in done.out


def test_the_engine_itself_breaking_is_one_line_too(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowgraph.lint.sources import Sources

    monkeypatch.setattr(Sources, "read", lambda *_: 1 / 0)
    write(flow=TWICE)
    done = here("lint")
    assert done.code == 2
    assert re.match(
        r"flowgraph: The lint broke: ZeroDivisionError: division by zero \(test_lint.py:\d+\)", done.sentence
    )


# Where it goes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_goes_to_stdout_or_a_file(here: Here, output_format: str) -> None:
    write(flow=TWICE)
    done = here("lint", "--output-format", output_format)
    assert (done.code, done.err) == (1, "")
    assert "FG101" in done.out
    to_file = here("lint", "--output-format", output_format, "--output-file", "report")
    assert to_file == (1, "", "")
    assert Path("report").read_text(encoding="utf-8") == done.out


def test_the_command_knows_all_formats() -> None:
    [option] = [one for one in flowgraph.commands["lint"].params if one.name == "output_format"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == FORMATS


def test_colours_are_for_terminals(shell: Shell, folder: Path) -> None:
    write(flow=TWICE)
    assert "\x1b" not in shell("lint").out
    assert "\x1b[31m" in on_a_terminal(["lint"])
    assert "\x1b" not in on_a_terminal(["lint"], NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(["lint", "--output-format", "json"])


def on_a_terminal(arguments: list[str], **environment: str) -> str:
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(command(arguments), env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = ""
    while process.poll() is None or not said:
        said = read_until(master, lambda _: True, said) if process.poll() is None else said + drained(master)
    said += drained(master)
    os.close(master)
    assert process.wait(WATCHDOG_S) in (0, 1)
    return said


def drained(master: int) -> str:
    try:
        return os.read(master, 65_536).decode()
    except OSError:
        return ""


def test_results_are_kept_in_the_project(here: Here) -> None:
    write(flow=FLOW)
    here("lint", "--no-cache")
    assert not Path(".flowgraph").exists()
    here("lint", "--cache-dir", "elsewhere")
    assert Path("elsewhere").is_dir()
    assert not Path(".flowgraph").exists()
    here("lint")
    assert Path(".flowgraph/cache/lint/.gitignore").is_file()


# Editors, and mending -------------------------------------------------------------------------------------------------


def test_stdin_is_checked_under_the_name_of_its_file(shell: Shell) -> None:
    write(helpers="NAME = 'one'\n", flow="")
    text = TWICE.replace('step("one", print)\n    await step("one"', 'step("one", print)\n    await step(NAME')
    text = f"from helpers import NAME\n{text}"
    done = shell("lint", "-", "--stdin-filename", "flow.py", "--output-format", "concise", stdin=text)
    assert done.code == 1
    assert done.out.startswith('flow.py:7:16: FG101 step "one" can run twice')
    assert shell("lint", "-", stdin=TWICE).out.startswith("FG101 duplicate-step-name")


def test_what_is_mended_of_stdin_goes_to_stdout(shell: Shell) -> None:
    done = shell("lint", "-", "--fix", stdin=UNUSED)
    assert (done.code, done.out) == (0, FLOW)


def test_fix_mends_files_and_tells_what_is_left(here: Here) -> None:
    write(flow=UNUSED, other=f"{TWICE.replace('flow()', 'other()').rstrip()}  # noqa: FG107\n")
    done = here("lint", "--fix", "--output-format", "concise")
    assert done.code == 1
    assert done.err == "Mended 2 findings in 2 files.\n"
    assert done.out == 'other.py:6:16: FG101 step "one" can run twice in one run of other\nFound 1 error in 2 files.\n'
    assert Path("flow.py").read_text() == FLOW
    assert here("lint", "--fix", "flow.py") == (0, "All checks passed: 1 workflow in 1 file.\n", "")


def test_diff_shows_what_would_change(here: Here) -> None:
    write(flow=UNUSED, other=TWICE)
    done = here("lint", "--diff")
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines()[-2:] == [
        '-    await step("one", print)  # noqa: FG107',
        '+    await step("one", print)',
    ]
    assert Path("flow.py").read_text() == UNUSED
    assert here("lint", "--diff", "other.py") == (0, "", "")


def test_a_file_that_cannot_be_written_is_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    write(flow=UNUSED)
    monkeypatch.setattr("flowgraph.lint.fixes.tempfile.mkstemp", refuse)
    done = here("lint", "--fix", "--no-cache")
    assert (done.code, done.sentence) == (
        2,
        "flowgraph: flow.py cannot be written: Permission denied. It is as it was.",
    )
    assert Path("flow.py").read_text() == UNUSED


def test_the_hooks_for_pre_commit_run_the_commands() -> None:
    """The file is YAML, but so plain that its lines tell all."""
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^[\s-]+(id|entry|language|types_or|pass_filenames): (.*)$", hooks, re.MULTILINE) == [
        ("id", "flowgraph-lint"),
        ("entry", "flowgraph lint"),
        ("language", "python"),
        ("types_or", "[python]"),
        ("pass_filenames", "false"),
        ("id", "flowgraph-draw"),
        ("entry", "env FLOWGRAPH_DOT=graphviz-pure flowgraph draw --fail-if-changed"),
        ("language", "python"),
        ("types_or", "[python]"),
        ("pass_filenames", "false"),
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "flowgraph" in project["scripts"]


# Rules ----------------------------------------------------------------------------------------------------------------


def test_all_rules_are_listed(here: Here) -> None:
    lines = here("rule").out.splitlines()
    assert [line.split()[0] for line in lines] == [rule.code for rule in all_rules()]
    assert "FG107  error    invalid-name                A step's name breaks a rule for names." in lines


@pytest.mark.parametrize("name", ["FG107", "fg107", "invalid-name"])
def test_a_rule_is_explained(here: Here, name: str) -> None:
    done = here("rule", name)
    assert done.out.startswith(
        "# invalid-name (FG107, error)\n\nA step's name breaks a rule for names.\n\n## What it does\n"
    )


def test_rules_as_json(here: Here) -> None:
    record = here("rule", "FG904", "--json").value
    assert set(record) == {"code", "name", "severity", "on", "summary", "explanation"}
    assert record["on"] is False
    assert [one["code"] for one in json.loads(here("rule", "--json").out)] == [rule.code for rule in all_rules()]


def test_all_rules_are_explained(here: Here) -> None:
    heads = re.findall(r"^# [a-z-]+ \((FG\d+), (?:error|warning|info)", here("rule", "--all").out, re.MULTILINE)
    assert heads == [rule.code for rule in all_rules()]


def test_a_rule_is_set_for_reading_on_a_terminal() -> None:
    said = on_a_terminal(["rule", "FG107"])
    assert "\x1b[1" in said
    assert "##" not in said


def test_a_rule_that_is_none(here: Here) -> None:
    done = here("rule", "invalid-nam")
    assert done.code == 2
    assert done.sentence == (
        "flowgraph: There is no rule 'invalid-nam'; did you mean invalid-name? `flowgraph rule` lists them all."
    )


RENAMED = FLOW.replace('"one"', '"uno"')


def graphs(name: str, text: str) -> str:
    """A file with the graphs of a source, as JSON."""
    [graph] = compile_source(text, "old.py")
    Path(name).write_text(json.dumps(graph.to_json()), encoding="utf-8")
    return name


def test_against_a_file_of_graphs_a_renamed_step_is_found(here: Here) -> None:
    write(flow=RENAMED)
    done = here("lint", "--against", graphs("old.json", FLOW), "--output-format", "concise")
    assert done.code == 0
    assert done.out.splitlines()[0].startswith('flow.py:5:11: FG604 step "one" of flow is renamed to "uno": ')
    assert here("lint", "--against", "old.json", "--strict").code == 1


def test_against_what_it_was_nothing_is_found(here: Here) -> None:
    write(flow=FLOW)
    assert here("lint", "--against", graphs("old.json", FLOW), "--strict").code == 0
    assert here("lint").code == 0  # What was kept of the comparison does no harm.


def test_a_workflow_that_is_gone_is_found_where_it_was(here: Here) -> None:
    write(flow=FLOW.replace("flow()", "other()"))
    done = here("lint", "--against", graphs("old.json", FLOW), "--output-format", "concise")
    assert "old.py:1:1: FG604 workflow 'flow' is removed" in done.out


def test_a_comparison_may_be_accepted_by_a_comment(here: Here) -> None:
    write(flow=RENAMED.replace("print)", "print)  # flowgraph: ignore[FG604] no run is open"))
    assert here("lint", "--against", graphs("old.json", FLOW), "--strict").code == 0
