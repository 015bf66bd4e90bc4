"""Lines on a terminal: their columns and colours, and the live display."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.text import Text

from flowgraph.cli.view import Bar, Line

if TYPE_CHECKING:
    from typing import TextIO

_LOOKS: dict[str, tuple[str, str, str]] = {
    "running": ("●", "*", "blue"),
    "retrying": ("↻", "~", "yellow"),
    "sleeping": ("○", "o", "cyan"),
    "listening": ("○", "o", "magenta"),
    "waiting": ("○", "o", "magenta"),
    "pending": ("○", "o", "default"),
    "paused": ("‖", "=", "yellow"),
    "progress": ("»", ">", "default"),
    "done": ("✓", "+", "green"),
    "completed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "timed out": ("✗", "x", "red"),
    "aborted": ("■", "#", "red"),
    "cancelled": ("■", "#", "red"),
    "unfinished": ("○", "o", "default"),
    "to come": ("·", ".", "default"),
}
"""By word: the symbol, the symbol in ASCII, and the style."""
_DIM = frozenset({"done", "progress", "unfinished", "to come"})
"""What is over, and what is to come, is shown dimmed, so that what goes on stands out."""

_ERRORS = frozenset({"failed", "retrying"})

_WORD = max(map(len, _LOOKS))
_TIME = len("59m 59s")
_GAP = "  "
_LEAST_NOTE = 8
_LEAST_BAR = 6
_MOST_BAR = 24
_NARROW = 48
"""A terminal that is narrower has no room for times."""


def looks(word: str) -> tuple[str, str, str]:
    """How a state looks, by its word: its symbol, that in ASCII, and its style."""
    return _LOOKS.get(word, ("○", "o", "default"))


def screen_console(file: TextIO, *, terminal: bool) -> Console:
    """A console for texts in columns; into a file or a pipe nothing is cut off and there are no colours."""
    if terminal:
        return Console(file=file, highlight=False, emoji=False, markup=False)
    return Console(file=file, highlight=False, emoji=False, markup=False, force_terminal=False, width=1_000)


class Painter:
    """Puts lines into columns. The first column only ever grows, so that a live display stays calm.

    Every line fits the terminal, but with `whole` errors are told in full: they may take more lines than one.
    """

    def __init__(self, console: Console, *, whole: bool = False) -> None:
        self._console = console
        self._whole = whole
        self._ascii = not console.encoding.lower().startswith("utf")
        self._widest = 0

    def paint(self, lines: Sequence[Line]) -> Text:
        """The lines as one text, each as wide as the terminal at most."""
        width = self._console.width
        named = [line for line in lines if line.word]
        self._widest = max([self._widest, *(2 * line.depth + 2 + len(line.name) for line in named)])
        left = min(self._widest, max(16, width * 45 // 100))
        time = _TIME if width >= _NARROW else 0
        note = max(width - left - _WORD - 2 * len(_GAP) - (time + len(_GAP) if time else 0) - 1, _LEAST_NOTE)
        if not self._console.is_terminal:
            note = max([_LEAST_NOTE, *(len(line.note) + _MOST_BAR + 1 for line in named)])
        painted = [self._line(line, left, note, time) if line.word else self._summary(line, width) for line in lines]
        return Text("\n", no_wrap=True, overflow="ignore" if self._whole else "crop").join(painted)

    def _line(self, line: Line, left: int, note: int, time: int) -> Text:
        if time and line.word in _ERRORS and cell_len(line.note) > note:  # The error matters more than the time.
            note, time = cell_len(line.note) if self._whole else note + len(_GAP) + time, 0
        symbol, plain, style = looks(line.word)
        quiet = "dim" if line.word in _DIM else ""
        text = Text(f"{'  ' * line.depth}", no_wrap=True)
        text.append(plain if self._ascii else symbol, style)
        text.append(f" {self._safe(line.name)}", "bold" if line.depth == 0 else quiet)
        self._fit(text, left)
        text.append(_GAP)
        text.append(line.word.ljust(_WORD), style)
        text.append(_GAP)
        text.append_text(self._fit(self._note(line, note, quiet), note))
        if time:
            text.append(_GAP + line.time.rjust(time), "dim")
        text.rstrip()
        return text

    def _note(self, line: Line, width: int, quiet: str) -> Text:
        note = self._safe(line.note)
        text = Text(no_wrap=True)
        if line.bar is not None and line.bar.total is not None:
            length = min(_MOST_BAR, width - len(note) - 1)
            if length >= _LEAST_BAR:
                text.append_text(self._bar(line.bar, length))
                text.append(" ")
        text.append(note, "red" if line.word == "failed" else quiet)
        return text

    def _bar(self, bar: Bar, length: int) -> Text:
        full, empty = ("#", "-") if self._ascii else ("━", "─")
        total = max(bar.total or 0, 1)
        done = min(length, int(length * bar.done / total))
        failed = min(length - done, -int(-length * bar.failed // total))
        text = Text()
        text.append(full * done, "blue")
        text.append(full * failed, "red")
        text.append(empty * (length - done - failed), "dim")
        return text

    def _summary(self, line: Line, width: int) -> Text:
        return self._fit(Text(f"{'  ' * line.depth}{self._safe(line.name)}", "dim", no_wrap=True), width - 1)

    def _fit(self, text: Text, width: int) -> Text:
        """Cut off, or fill up, to a width in cells."""
        text.truncate(width, overflow="crop" if self._ascii else "ellipsis", pad=True)
        return text

    def _safe(self, text: str) -> str:
        """Text that the terminal's encoding has."""
        if not self._ascii:
            return text
        text = text.replace("…", "...").replace(" · ", ", ")
        return text.encode(self._console.encoding, "backslashreplace").decode(self._console.encoding)


class Screen:
    """A live display of lines; `lines` gives them for a height.

    What is printed meanwhile appears above it.
    """

    def __init__(self, file: TextIO, lines: Callable[[int], Sequence[Line]]) -> None:
        self._lines = lines
        self._console = screen_console(file, terminal=True)
        self._painter = Painter(self._console)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")

    def start(self) -> None:
        self._live.start()

    def draw(self, spare: int = 2) -> None:
        """Show how things are now; so many lines of the terminal are left free."""
        height = max(3, self._console.height - spare)
        self._live.update(self._painter.paint(self._lines(height)), refresh=True)

    def stop(self) -> None:
        """Show how things are one last time, and leave that on the terminal."""
        self.draw(spare=4)
        self._live.stop()
