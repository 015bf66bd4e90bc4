"""``flowgraph diff``: what a change of the code means for runs in flight."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flowgraph.cli.graph_file import graphs_of
from flowgraph.cli.output import print_json
from flowgraph.cli.trouble import Trouble
from flowgraph.cli.wording import counted, one_line
from flowgraph.model.difference import Difference, differences

if TYPE_CHECKING:
    from rich.text import Text

    from flowgraph.model.difference import Change

SAFE = 0
BREAKS = 1
_KIND = len("kind-changed")
_NOTE = len("  ! ") + _KIND + len("  ")
"""The column in which it is said what a change means."""
_LOOKS = {"added": "green", "removed": "yellow"}


def compare(old: str, new: str, output_format: str) -> int:
    """Print what changed from OLD to NEW; the exit code says whether that breaks runs in flight."""
    before, after = graphs_of(old), graphs_of(new)
    if not before and not after:
        raise Trouble(f"There are no workflows in {old}, and none in {new}.")
    found = differences(before, after)
    if output_format == "json":
        print_json({"workflows": [difference.to_json() for difference in found]})
        _say_unknown(found)
    else:
        _print(found)
    return BREAKS if any(difference.breaking for difference in found) else SAFE


def _say_unknown(found: list[Difference]) -> None:
    for difference in found:
        for sentence in difference.unknown:
            print(f"flowgraph: {difference.workflow}: {one_line(sentence)}", file=sys.stderr)


def _print(found: list[Difference]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from flowgraph.cli.screen import screen_console

    console = screen_console(sys.stdout, terminal=sys.stdout.isatty())
    arrow = " → " if console.encoding.lower().startswith("utf") else " -> "
    for difference in _worth_a_word(found):
        console.print(_head(difference), soft_wrap=True)
        for change in difference.changes:
            console.print(_change(change, arrow), soft_wrap=True)
            if change.note:
                console.print(Padding(Text(one_line(change.note, 500), "dim"), (0, 0, 0, _NOTE), expand=False))
        for sentence in difference.unknown:
            console.print(Text(f"  ? {one_line(sentence)}", "yellow"), soft_wrap=True)
        console.print()
    console.print(Text(_summary(found), "bold"), soft_wrap=True)


def _worth_a_word(found: list[Difference]) -> list[Difference]:
    return [one for one in found if one.changes or one.unknown or one.fingerprint_old != one.fingerprint_new]


def _summary(found: list[Difference]) -> str:
    """What is to be known, in one line.

    >>> _summary([Difference("a", "1", "1"), Difference("b", "1", "2")])
    'Safe for runs in flight: 1 of 2 workflows changed.'
    """
    breaking = [difference for difference in found if difference.breaking]
    if not breaking:
        changed = len(_worth_a_word(found)) or "none"
        return f"Safe for runs in flight: {changed} of {counted(len(found), 'workflow')} changed."
    changes = counted(sum(len(difference.breaking) for difference in breaking), "change")
    verb = "breaks" if changes.startswith("1 ") else "break"
    return f"{changes} {verb} runs in flight, in {len(breaking)} of {counted(len(found), 'workflow')}."


def _head(difference: Difference) -> Text:
    from rich.text import Text

    verdict = Text(_verdict(difference), "bold red" if difference.breaking else "green")
    return Text.assemble((one_line(difference.workflow), "bold"), ": ", verdict)


def _verdict(difference: Difference) -> str:
    if difference.breaking:
        return "breaks runs in flight"
    if difference.changes or difference.fingerprint_old == difference.fingerprint_new:
        return "safe"
    return "safe, only the ways between its steps changed"


def _change(change: Change, arrow: str) -> Text:
    """What was done, and to which step."""
    from rich.text import Text

    look = "red" if change.breaks else _LOOKS.get(change.kind, "cyan")
    mark = "!" if change.breaks else " "
    return Text.assemble((f"  {mark} {change.kind.ljust(_KIND)}  ", look), _paths(change, arrow))


def _paths(change: Change, arrow: str) -> str:
    """The step by its paths.

    >>> from flowgraph.model.difference import Change
    >>> _paths(Change("renamed", "a", "b"), " -> "), _paths(Change("added", None, ""), " -> ")
    ('a -> b', 'the workflow')
    """
    paths = [one_line(path, 600) or "the workflow" for path in (change.path_old, change.path_new) if path is not None]
    return arrow.join(dict.fromkeys(paths))
