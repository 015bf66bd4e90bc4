"""JUnit's XML, which most servers of continuous integration read."""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree import ElementTree as Xml

from flowgraph.lint.reports.page import Page
from flowgraph.model.diagnostic import Diagnostic

_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(page: Page) -> str:
    """A suite for each file with findings, in which errors are failures; a case that passes where there are none."""
    report = page.report
    root = Xml.Element("testsuites", name="flowgraph lint")
    for path, findings in groupby(report.findings, key=lambda found: found.path):
        _suite(root, path, list(findings))
    if not report.findings:
        suite = Xml.SubElement(root, "testsuite", name="flowgraph lint", tests="1", failures="0", errors="0")
        Xml.SubElement(suite, "testcase", name=page.summary, classname="flowgraph")
    root.set("tests", str(max(len(report.findings), 1) + len(report.failures)))
    root.set("failures", str(report.count("error")))
    root.set("errors", str(len(report.failures)))
    for failure in report.failures:
        suite = Xml.SubElement(root, "testsuite", name="flowgraph lint", tests="1", failures="0", errors="1")
        case = Xml.SubElement(suite, "testcase", name=_legal(failure.path), classname="flowgraph")
        Xml.SubElement(case, "error", message=_legal(str(failure)))
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _suite(root: Xml.Element, path: str, findings: list[Diagnostic]) -> None:
    failures = sum(found.severity == "error" for found in findings)
    suite = Xml.SubElement(
        root, "testsuite", name=_legal(path), tests=str(len(findings)), failures=str(failures), errors="0"
    )
    for found in findings:
        _case(suite, found)


def _case(suite: Xml.Element, found: Diagnostic) -> None:
    case = Xml.SubElement(
        suite, "testcase", name=f"{found.code} {found.name}", classname=_legal(found.path), file=_legal(found.path),
        line=str(found.line),
    )  # fmt: skip
    text = _legal(f"{found.path}:{found.line}:{found.column}: {found.message}\n{found.help}".rstrip())
    if found.severity == "error":
        Xml.SubElement(case, "failure", type=found.code, message=_legal(found.message)).text = text
    else:
        Xml.SubElement(case, "system-out").text = f"{found.severity}: {text}"


def _legal(text: str) -> str:
    """Text without what XML cannot hold in any way."""
    return _ILLEGAL.sub("\ufffd", text)
