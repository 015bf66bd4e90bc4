"""Texts that mean something to a format, and a graph that has one of them wherever a graph has text."""

from __future__ import annotations

import unicodedata

from flowgraph import Graph
from flowgraph.model.graph import Edge, Node

TEXTS = {
    "nothing": "",
    "blanks": "   ",
    "double quotes": 'a "quoted" one',
    "single quotes": "it's 'quoted'",
    "a script": "<script>alert(1)</script>",
    "a tag that is not closed": "<b <i> </td></table>",
    "entities": "&amp; &#x41; &lt; &nosuch; & &#0; &#60;",
    "Mermaid's entities": "#quot; #35; #amp; style:;",
    "escapes of Graphviz": r"\N \G \l \r \n \E \T \H \L \\ \"",
    "a backslash at the end": "end\\",
    "lines": "one\ntwo\r\nthree\tfour",
    "the end of CDATA": "]]> <![CDATA[ x",
    "the end of a comment": "--> <!-- -- -->",
    "a comment of Mermaid": "%% no %%{init: {}}%%",
    "a direction of Mermaid": "go in direction LR",
    "an accessible title": "accTitle: x",
    "separators": "a; b | c, d: e",
    "brackets": "]) ]] }} ))) ([{",
    "braces": "{ }} {{x} {}",
    "arrows": "a -> b --> c -- d ==> e",
    "a reserved word": "end",
    "another reserved word": "subgraph",
    "ticks": "`code` **bold** _it_ [a](b)",
    "an address": "javascript:alert(1)//",
    "emoji": "pay 😀 👩‍👩‍👧 🇨🇭",
    "Chinese": "注文を処理する",
    "Hebrew": "שלום עולם",
    "the other direction": "a \u202egnp.exe\u202c b",
    "combining marks": "e\u0301 Z\u0351\u036b\u0343algo",
    "separators of lines": "a\u2028b\u2029c\u0085d",
    "no characters": "a \ufffe \uffff b",
    "control characters": "a \x00 \x01 \x1b[31m \x7f b",
    "half a character": "a \ud800 \udfff b",
    "private use": "a \ue000 b",
    "a byte order mark": "\ufeffa",
    "very long": "x" * 500,
    "very long, with markup": "<&\"'" * 125,
    "many words": "word " * 100,
    "very long Chinese": "注" * 500,
    "variables": "${x} %s $(id) `id`",
}


def graph_with(text: str) -> Graph:
    """A graph with a text in the names, conditions, handlers, options, labels, and in those of workflow and file."""
    name = text.replace("{", "{{").replace("}", "}}")
    nodes = (
        Node("1", "start", ""),
        Node("2", "step", name, name, line=3, options={"timeout": text, "given": text}, handler=text),
        Node("3", "branch", text),
        Node("4", "loop", text),
        Node("5", "step", f"{name}{{n}}", f"{name}{{n}}", parent="4", region="4"),
        Node("6", "progress", name, name),
        Node("7", "try", ""),
        Node("8", "map", name, name, region="7", arguments=(text,), options={"concurrency": text}),
        Node("9", "handler", text),
        Node("10", "unknown", text),
        Node("11", "execute_workflow", name, name, arguments=(repr(text),)),
        Node("12", "listen", name, name, options={"event": text}),
        Node("13", "fail", "", arguments=(repr(text),)),
        Node("14", "fail", "", arguments=(text,)),
        Node("15", "raise", text),
        Node("16", "end", ""),
    )
    ways = [
        (1, 2), (2, 3), (3, 4), (4, 5), (4, 6), (6, 7), (7, 8), (8, 10), (9, 10), (10, 11), (11, 12), (12, 13),
        (12, 14), (12, 15), (12, 16),
    ]  # fmt: skip
    edges = tuple(Edge(str(source), str(target), "control", text) for source, target in ways)
    more = (Edge("5", "4", "back", text), Edge("7", "9", "exception", text), Edge("2", "6", "data", text))
    return Graph(text, f"{text}.py", 1, nodes, (*edges, *more))


def visible(text: str) -> str:
    """A text as a picture shows it: on one line, and without what no format can hold."""
    return "".join(
        " " if letter in "\t\r\n\u2028\u2029" else "?" if unicodedata.category(letter) in ("Cc", "Cs", "Cn") else letter
        for letter in text
    )
