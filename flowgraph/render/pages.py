"""The page that shows all pictures of a folder."""

from __future__ import annotations

import html
from collections.abc import Iterable
from urllib.parse import quote

import attrs

from flowgraph.model.graph import Graph
from flowgraph.render.labels import clean

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;background:#fff;color:#1f2328}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2.5rem 0 .2rem}
p{color:#57606a;margin:.2rem 0 .8rem}a{color:#0969da}nav ul{columns:16rem;padding-left:1.2rem}
figure{margin:0;overflow:auto;border:1px solid #d0d7de;border-radius:8px}img{max-width:100%;display:block}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}p{color:#9198a1}a{color:#58a6ff}
figure{border-color:#3d444d}}
"""
_PICTURES = (".svg", ".png")


@attrs.frozen
class Entry:
    """A graph, and the file of its picture beside the page."""

    graph: Graph
    file: str


def index_page(title: str, entries: Iterable[Entry]) -> str:
    """The page, as HTML that needs nothing else but the pictures."""
    listed = list(entries)
    heading = html.escape(clean(f"Workflows of {title}"))
    items = "".join(f'<li><a href="#{_anchor(one)}">{_text(one.graph.workflow)}</a></li>\n' for one in listed)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">\n<title>{heading}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{heading}</h1>\n<nav><ul>\n{items}</ul></nav>\n"
        + "".join(map(_section, listed))
        + "</html>\n"
    )


def _section(entry: Entry) -> str:
    graph, file = entry.graph, quote(entry.file)
    steps = len(graph.steps)
    where = f"{graph.path}:{graph.line} · {steps} step{'' if steps == 1 else 's'} · graph {graph.fingerprint[:7]}"
    shown = f'<a href="{file}">{_text(entry.file)}</a>'
    if entry.file.endswith(_PICTURES):
        shown = f'<figure><a href="{file}"><img src="{file}" alt="{_text(graph.workflow)}"></a></figure>'
    return f'<h2 id="{_anchor(entry)}">{_text(graph.workflow)}</h2>\n<p>{_text(where)}</p>\n{shown}\n'


def _anchor(entry: Entry) -> str:
    return quote(entry.file.rpartition(".")[0])


def _text(text: str) -> str:
    return html.escape(clean(text))
