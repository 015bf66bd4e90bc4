"""How things look: the Graphviz attributes of each kind of shape, frame and line, and their colours in the dark."""

from __future__ import annotations

TEXT, GREY, HOLE, PAPER = "#1f2328", "#57606a", "#8250df", "#ffffff"
SANS, MONO = "Helvetica", "Courier"

GRAPH = {
    "rankdir": "TB",
    "newrank": "true",
    "compound": "true",
    "nodesep": "0.30",
    "ranksep": "0.2",
    "pad": "0.15",
    "fontname": SANS,
    "fontsize": "11",
    "fontcolor": TEXT,
    "labelloc": "t",
    "labeljust": "l",
    "bgcolor": PAPER,
    "outputorder": "edgesfirst",
}
NODE = {
    "shape": "box",
    "style": "rounded,filled",
    "fontname": SANS,
    "fontsize": "11",
    "fontcolor": TEXT,
    "penwidth": "1.1",
    "margin": "0.16,0.035",
    "height": "0.3",
}
EDGE = {
    "fontname": SANS,
    "fontsize": "9",
    "fontcolor": GREY,
    "color": GREY,
    "penwidth": "1.1",
    "arrowhead": "vee",
    "arrowsize": "0.65",
}


def _box(color: str, fill: str, **more: str) -> dict[str, str]:
    return {"color": color, "fillcolor": fill, **more}


_STEP = _box("#0969da", "#ddf4ff")
_SLEEP = _box("#8c959f", "#f6f8fa")
_MAP = _box("#1b7c83", "#d7f5f3")
_PILL = {"fontsize": "9", "margin": "0.12,0.03", "height": "0.24"}
_HEAD = {"shape": "plaintext", "style": "", "fontsize": "9", "fontcolor": GREY, "margin": "0.04,0.01", "height": "0.16"}
_BAR = {"style": "filled", "color": TEXT, "fillcolor": TEXT}

LOOKS: dict[str, dict[str, str]] = {
    "step": _STEP,
    "transaction": _STEP,
    "map": {**_MAP, "peripheries": "2"},
    "for_each": {**_MAP, "peripheries": "2"},
    "batch": _MAP,
    "sleep": _SLEEP,
    "sleep_until": _SLEEP,
    "listen": _box("#bf3989", "#ffeff7", style="rounded,filled,dashed"),
    "child": _box("#bc4c00", "#fff1e5", peripheries="2"),
    "execute_workflow": _box("#bc4c00", "#fff1e5", peripheries="2"),
    "start_workflow": _box("#bc4c00", "#fff1e5", peripheries="2"),
    "wait_for_workflow": _box("#bc4c00", "#fff1e5", style="rounded,filled,dashed"),
    "progress": {"shape": "plaintext", "style": "", "fontcolor": "#1a7f37", "height": "0.2", "margin": "0.06,0.02"},
    "fail": _box("#cf222e", "#ffebe9", shape="octagon", style="filled", margin="0.06,0.02"),
    "abort": _box("#8c959f", "#f6f8fa", shape="octagon", style="filled", margin="0.06,0.02"),
    "raise": _box(
        "#cf222e", "#ffebe9", shape="octagon", style="filled", margin="0.06,0.02", fontname=MONO, fontsize="9"
    ),
    "branch": _box("#9a6700", "#fff8c5", shape="diamond", style="filled", fontname=MONO, fontsize="9", margin="0,0"),
    "loop": _box(
        "#8250df", "#efe1ff", shape="hexagon", style="filled", fontname=MONO, fontsize="9", margin="0.02,0.02"
    ),
    "try": _HEAD,
    "handler": _box("#ff8182", "#fff5f5", fontname=MONO, **_PILL),
    "finally": _box("#8c959f", "#f6f8fa", **_PILL),
    "fork": {**_BAR, **_PILL, "fontcolor": PAPER, "margin": "0.2,0.01", "height": "0.16"},
    "join": {**_BAR, "label": "", "width": "0.9", "height": "0.06", "fixedsize": "true"},
    "start": _box("#1a7f37", "#1a7f37", shape="circle", style="filled", label="", width="0.2", height="0.2"),
    "end": _box(TEXT, TEXT, shape="doublecircle", style="filled", label="", width="0.14", height="0.14"),
    "unknown": _box("#8c959f", PAPER, style="rounded,filled,dashed", fontcolor=GREY, fontname=MONO, fontsize="9"),
    "unplanned": _box("#cf222e", "#ffebe9", style="rounded,filled,dashed"),
    "more": {"shape": "plaintext", "style": "", "fontcolor": GREY, "height": "0.16", "margin": "0.02,0"},
}

_FRAME = {"label": "", "margin": "12", "penwidth": "1.1"}
FRAMES: dict[str, dict[str, str]] = {
    "step": {**_FRAME, **_box("#80ccff", "#f3f9ff", style="rounded,filled")},
    "loop": {**_FRAME, **_box("#c297ff", "#fbf5ff", style="rounded,filled")},
    "try": {**_FRAME, "color": "#8c959f", "style": "rounded,dashed"},
    "fork": {**_FRAME, **_box("#a5d6ff", "#f5fbff", style="rounded,filled")},
}

LINES: dict[str, dict[str, str]] = {
    "control": {},
    "back": {"style": "dashed", "color": "#8250df", "constraint": "false"},
    "exception": {"style": "dashed", "color": "#cf222e"},
    "data": {
        "style": "dotted",
        "color": "#0969da",
        "fontcolor": "#0969da",
        "constraint": "false",
        "arrowhead": "empty",
    },
    "order": {"style": "invis"},
}

STATES: dict[str, dict[str, str]] = {
    "done": {"color": "#1a7f37", "penwidth": "1.6"},
    "running": {"color": "#0969da", "penwidth": "3"},
    "waiting": {"color": "#8250df", "penwidth": "2.4"},
    "sleeping": {"color": "#1b7c83", "penwidth": "2.4"},
    "listening": {"color": "#bf3989", "penwidth": "2.4"},
    "retrying": {"color": "#9a6700", "penwidth": "2.4"},
    "failed": {"color": "#cf222e", "penwidth": "2.4"},
    "not-run": {"color": "#d0d7de", "fillcolor": "#fafbfc", "fontcolor": "#8c959f"},
}
TAKEN = {"color": "#1a7f37", "penwidth": "2.2"}
NOT_TAKEN = {"color": "#d0d7de"}

DARK = {
    PAPER: "#0d1117",
    TEXT: "#e6edf3",
    GREY: "#9198a1",
    "#8c959f": "#768390",
    "#d0d7de": "#3d444d",
    "#fafbfc": "#11161d",
    "#f6f8fa": "#1c2128",
    "#0969da": "#58a6ff",
    "#ddf4ff": "#0c2a4d",
    "#80ccff": "#1f6feb",
    "#f3f9ff": "#0d1b2e",
    "#a5d6ff": "#2f5d8c",
    "#f5fbff": "#0f1a27",
    "#8250df": "#b78aff",
    "#c297ff": "#6e40c9",
    "#efe1ff": "#2d1b55",
    "#fbf5ff": "#171127",
    "#1b7c83": "#39c5cf",
    "#d7f5f3": "#0b3238",
    "#9a6700": "#d29922",
    "#fff8c5": "#3a2a06",
    "#bf3989": "#f778ba",
    "#ffeff7": "#3b1229",
    "#bc4c00": "#f0883e",
    "#fff1e5": "#3d1d06",
    "#1a7f37": "#3fb950",
    "#cf222e": "#ff7b72",
    "#ffebe9": "#3c1214",
    "#ff8182": "#b62324",
    "#fff5f5": "#2a1113",
}
"""Every colour above, and what it is where the reader prefers dark pages."""
