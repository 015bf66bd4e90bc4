"""How findings are told: each format by its own rules, and all of them about the same."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from flowgraph.lint import FORMATS, Failure, Page, Report, Settings, Sources, all_rules, written
from flowgraph.model.diagnostic import Diagnostic, Edit, Fix, Related
from tests.lint.project import FLOW, TWICE, Project

HEAD = "from flowgraph import step, workflow\n\n@workflow\nasync def order_pipeline(charge, charge_backup):\n"


def told(output_format: str, *findings: Diagnostic, failures: tuple[Failure, ...] = (), **sources: str) -> str:
    """Findings in files of these texts, in a format."""
    contents = {f"{name}.py": text.encode() for name, text in sources.items()}
    report = Report(findings, failures, workflows=1, files=1, scanned=5)
    return written(output_format, Page(report, Sources(contents)))


def finding(line: int = 1, column: int = 1, end_column: int | None = None, **changes: Any) -> Diagnostic:
    values: dict[str, Any] = {
        "code": "FG101", "name": "duplicate-step-name", "severity": "error", "message": "twice", "path": "a.py",
        "line": line, "column": column, "end_line": line if end_column else None, "end_column": end_column,
    }  # fmt: skip
    return Diagnostic(**{**values, **changes})


# Full -----------------------------------------------------------------------------------------------------------------


def test_both_sites_are_in_one_frame(project: Project) -> None:
    project.put(
        "orders/flow.py",
        HEAD + '    try:\n        await step("charge-card", charge)\n    except ValueError:\n'
        '        await step("charge-card", charge_backup)\n',
    )
    assert project.report("full") == (
        'FG101 duplicate-step-name: step "charge-card" can run twice in one run of order_pipeline\n'
        " --> orders/flow.py:8:20\n"
        "  |\n"
        '6 |         await step("charge-card", charge)\n'
        "  |                    ------------- first use; its saved result is returned to the second\n"
        '8 |         await step("charge-card", charge_backup)\n'
        "  |                    ^^^^^^^^^^^^^ reached from line 6 through `except ValueError` (line 7)\n"
        'help: Give one of them another name, for example "charge-card-2".\n'
        "\n"
        "Found 1 error in 1 file.\n"
    )


def test_a_site_far_away_or_in_another_file_has_a_frame_of_its_own() -> None:
    related = (Related("a.py", 1, 1, "first use"), Related("b.py", 2, 5, "called here"), Related("c.py", 9, 1, "gone"))
    text = told("full", finding(100, 1, 3, related=related), a="ab\n" * 100, b="x\n    call(1)\n")
    assert text.splitlines()[:-2] == [
        "FG101 duplicate-step-name: twice",
        "   --> a.py:100:1",
        "    |",
        "100 | ab",
        "    | ^^",
        "   ::: a.py:1:1",
        "    |",
        "  1 | ab",
        "    | -- first use",
        "   ::: b.py:2:5",
        "    |",
        "  2 |     call(1)",
        "    |     ---- called here",
        "   ::: c.py:9:1",
        "    = gone",
    ]


@pytest.mark.parametrize(
    ("line", "place", "shown", "marks"),
    [
        ('x = step("注文", f)', (10, 14), 'x = step("注文", f)', "         ^^^^^^"),
        ("名前 = step(a)", (6, 13), "名前 = step(a)", "       ^^^^^^^"),
        ("\tstep(a)", (2, 6), "    step(a)", "    ^^^^"),
        ("a\tstep(a)", (3, 7), "a   step(a)", "    ^^^^"),
        ("e\u0301 = step(a)", (6, 10), "e\u0301 = step(a)", "    ^^^^"),
        ("x = '\x1b[31m'", (5, 12), "x = '\ufffd[31m'", "    ^^^^^^^"),
        ("step(", (1, None), "step(", "^"),
    ],
)
def test_marks_stand_below_what_they_mark(line: str, place: tuple[int, int | None], shown: str, marks: str) -> None:
    text = told("full", finding(1, *place), a=line)
    assert text.splitlines()[3:5] == [f"1 | {shown}", f"  | {marks}"]


def test_a_place_of_several_lines_is_marked_to_the_end_of_the_first() -> None:
    text = told("full", finding(1, 5, end_line=2, end_column=3), a="x = step(  \n  )")
    assert text.splitlines()[3:5] == ["1 | x = step(", "  |     ^^^^^"]


def test_what_moves_the_cursor_is_not_told() -> None:
    text = told("full", finding(message="\x1b[2Jgone", path="a\x1b.py", help="a\nb"))
    assert "\x1b" not in text


def test_levels_and_fixes_are_told(project: Project) -> None:
    project.write(flow=FLOW.rstrip() + "  # noqa: FG107\n")
    lines = project.report("full").splitlines()
    assert lines[0] == "FG902 unused-ignore (warning): FG107 is not found in this line"
    assert lines[-3] == "fix: Remove what is not needed (--fix does it)"


def test_colours_are_those_of_the_painter() -> None:
    page = Page(Report((finding(),)), Sources({"a.py": b"x"}), lambda text, style: f"<{style}>{text}</>")
    assert written("full", page).startswith(
        "<bold red>FG101</> <bold>duplicate-step-name</>: twice\n <bold blue>--></>"
    )
    assert "<bold red>FG101</>" in written("concise", page)


@pytest.mark.parametrize(
    ("report", "summary"),
    [
        (Report((), workflows=4, files=3, scanned=9), "All checks passed: 4 workflows in 3 files."),
        (Report((), workflows=1, files=1, scanned=1), "All checks passed: 1 workflow in 1 file."),
        (Report((), scanned=1_200), "All checks passed: no workflows in 1,200 files."),
        (Report(()), "All checks passed: no workflows in no files."),
        (Report((finding(),) * 3, files=12), "Found 3 errors in 12 files."),
        (Report((finding(), finding(severity="warning")), files=1), "Found 1 error, 1 warning in 1 file."),
        (Report((finding(severity="info"),), files=2), "Found 1 of info in 2 files."),
    ],
)
def test_the_summary(report: Report, summary: str) -> None:
    assert written("concise", Page(report, Sources())).splitlines()[-1] == summary


# Other formats --------------------------------------------------------------------------------------------------------


def test_concise_is_one_line_for_each() -> None:
    fix = Fix("Await it", (Edit(1, 1, 1, 1, "await "),))
    text = told("concise", finding(3, 5, message="a\nb"), finding(4, fix=fix))
    assert text.splitlines()[:2] == ["a.py:3:5: FG101 a b", "a.py:4:1: FG101 [*] twice"]


def test_json_has_the_fields_that_are_promised(project: Project) -> None:
    project.write(flow=TWICE)
    [found] = json.loads(project.report("json"))
    assert found == {
        "code": "FG101",
        "name": "duplicate-step-name",
        "severity": "error",
        "message": 'step "one" can run twice in one run of flow',
        "path": "flow.py",
        "line": 8,
        "column": 16,
        "end_line": 8,
        "end_column": 21,
        "workflow": "flow",
        "step": "one",
        "help": 'Give one of them another name, for example "one-2".',
        "related": [
            {
                "path": "flow.py",
                "line": 7,
                "column": 16,
                "message": "first use; its saved result is returned to the second",
            }
        ],
        "fix": None,
    }


def test_json_has_the_workflow_and_the_step_of_a_name_that_is_not_valid(project: Project) -> None:
    project.write(flow=FLOW.replace('"one"', 'f"a\\tb-{work}"'))
    [found] = json.loads(project.report("json"))
    assert (found["code"], found["workflow"], found["step"]) == ("FG107", "flow", "a\tb-{work}")


def test_json_has_fixes_as_edits() -> None:
    [found] = json.loads(told("json", finding(fix=Fix("Await it", (Edit(1, 2, 3, 4, "await "),)))))
    edit = {"line": 1, "column": 2, "end_line": 3, "end_column": 4, "text": "await "}
    assert found["fix"] == {"message": "Await it", "edits": [edit]}


def test_github_annotations_escape_what_has_a_meaning() -> None:
    found = finding(3, 5, 9, path="a,b:c.py", message="100 %\nsure", severity="warning", help="no")
    assert told("github", found) == (
        "::warning title=FG101 duplicate-step-name,file=a%2Cb%3Ac.py,line=3,col=5,endLine=3,endColumn=9"
        "::100 %25%0Asure%0Ano\n"
    )


def test_github_annotations_of_all_levels() -> None:
    text = told("github", finding(), finding(severity="warning"), finding(severity="info"))
    assert re.findall("^::([a-z]+)", text, re.MULTILINE) == ["error", "warning", "notice"]


def test_gitlab_has_what_its_report_needs(project: Project) -> None:
    project.write(flow=TWICE)
    [issue] = json.loads(project.report("gitlab"))
    assert issue["location"] == {"path": "flow.py", "lines": {"begin": 8, "end": 8}}
    assert issue["severity"] == "major"
    assert issue["check_name"] == "FG101"
    assert issue["description"].startswith("FG101 duplicate-step-name: step")
    assert re.fullmatch("[0-9a-f]{32}", issue["fingerprint"])


def test_sarif_has_what_the_standard_asks_for(project: Project) -> None:
    """The properties that version 2.1.0 requires, and the kinds of values that they have."""
    project.put("a b/flow.py", TWICE.rstrip() + "  # noqa: FG107\n")
    log = json.loads(project.report("sarif"))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "flowgraph"
    assert [rule["id"] for rule in driver["rules"]] == [rule.code for rule in all_rules()]
    for rule in driver["rules"]:
        assert rule["help"]["text"].startswith(rule["shortDescription"]["text"])
        assert rule["fullDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    duplicate, unused = run["results"]
    assert driver["rules"][duplicate["ruleIndex"]]["id"] == duplicate["ruleId"] == "FG101"
    assert duplicate["message"]["text"].startswith('step "one" can run twice in one run of flow. Give')
    [location] = duplicate["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b/flow.py"},
        "region": {"startLine": 8, "startColumn": 16, "endLine": 8, "endColumn": 21},
    }
    [related] = duplicate["relatedLocations"]
    assert related["physicalLocation"]["region"] == {"startLine": 7, "startColumn": 16}
    assert related["message"]["text"]
    assert unused["level"] == "warning"
    [change] = unused["fixes"][0]["artifactChanges"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 8, "startColumn": 28, "endLine": 8, "endColumn": 43},
            "insertedContent": {"text": ""},
        }
    ]


def test_sarif_tells_what_broke() -> None:
    failure = Failure("FG101", "a.py", "ValueError: no")
    [invocation] = json.loads(told("sarif", failures=(failure,)))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == [str(failure)]


@pytest.mark.parametrize(
    ("output_format", "fingerprints"),
    [
        ("gitlab", lambda text: [issue["fingerprint"] for issue in json.loads(text)]),
        (
            "sarif",
            lambda text: [
                result["partialFingerprints"]["primaryLocationLineHash"]
                for result in json.loads(text)["runs"][0]["results"]
            ],
        ),
    ],
)
def test_fingerprints_stay_when_lines_move(project: Project, output_format: str, fingerprints: Any) -> None:
    body = TWICE + '    await step("one", work)\n'
    project.write(flow=body)
    before = fingerprints(project.report(output_format))
    project.write(flow="# one\n# more\n" + body.replace("    await", "    # moved\n    await"))
    assert fingerprints(project.report(output_format)) == before
    assert len(set(before)) == len(before) == 2
    project.write(flow=body.replace('"one"', '"two"'))
    assert not set(before) & set(fingerprints(project.report(output_format)))


def test_junit_is_a_suite_for_each_file(project: Project) -> None:
    project.write(a=TWICE, b=FLOW.rstrip() + "  # noqa: FG107\n")
    root = ElementTree.fromstring(project.report("junit", settings=Settings(ignore=("FG601",))))
    assert root.attrib == {"name": "flowgraph lint", "tests": "2", "failures": "1", "errors": "0"}
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [("a.py", "1"), ("b.py", "0")]
    [failure] = root.iter("failure")
    assert failure.get("message") == 'step "one" can run twice in one run of flow'
    [note] = root.iter("system-out")
    assert str(note.text).startswith("warning: b.py:7:30: FG107 is not found")


def test_junit_without_findings_has_a_case_that_passes(project: Project) -> None:
    project.write(flow=FLOW)
    root = ElementTree.fromstring(project.report("junit"))
    assert [case.get("name") for case in root.iter("testcase")] == ["All checks passed: 1 workflow in 1 file."]
    assert (root.get("tests"), root.get("failures")) == ("1", "0")


def test_junit_tells_what_broke() -> None:
    root = ElementTree.fromstring(told("junit", failures=(Failure("compiler", "a.py", "ValueError: no"),)))
    assert root.get("errors") == "1"
    assert len(list(root.iter("error"))) == 1


def test_junit_leaves_out_what_xml_cannot_hold() -> None:
    text = told("junit", finding(message="a\x00\x1b<b>&\ud800", path="a\x01.py"))
    assert "a\ufffd\ufffd<b>&\ufffd" in {
        failure.get("message") for failure in ElementTree.fromstring(text).iter("failure")
    }


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_takes_every_finding(output_format: str) -> None:
    """Places outside of the file, files that are gone, and no findings at all."""
    odd = finding(7, 90, 99, path="gone.py", related=(Related("a.py", 99, 1, ""),))
    assert "FG101" in told(output_format, finding(99, 99), odd, finding(path="/a/b c.py"), a="x")
    assert told(output_format).strip() or output_format == "github"
