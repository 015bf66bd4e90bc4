"""Methods are those of the object's class; where that cannot be said, what they do is unknown."""

import pytest

from flowgraph import Graph, compile_source

CLASSES = """
from flowgraph import step, workflow
class Importer:
    async def run(self):
        await self.extract()
        await step("load", f)
        await self.done()
    async def extract(self):
        raise NotImplementedError
    async def done(self):
        await step("done", f)
class Csv(Importer):
    async def extract(self):
        await step("extract-csv", f)
class Json(Importer):
    async def extract(self):
        await step("extract-json", f)
    async def done(self):
        await step("done-json", f)
class Port:
    async def send(self): ...
class Alone:
    async def send(self):
        await step("send", f)
"""


def graph_of(body: str, parameters: str = "") -> Graph:
    [graph] = compile_source(f"{CLASSES}\n@workflow\nasync def flow({parameters}):\n    {body}\n")
    return graph


def names_of(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if node.is_step or node.kind == "unknown"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("await Csv().run()", ["extract-csv", "load", "done"]),
        ("await Json().run()", ["extract-json", "load", "done-json"]),
        ("one = Json()\n    await one.run()", ["extract-json", "load", "done-json"]),
    ],
)
def test_a_method_is_that_of_the_class_of_the_object(body: str, names: list[str]) -> None:
    graph = graph_of(body)
    assert names_of(graph) == names
    assert graph.is_complete


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        ("Importer", ["self.extract() cannot be followed", "load", "self.done() cannot be followed"]),
        ("Json", ["extract-json", "load", "done-json"]),
    ],
)
def test_a_parameter_may_be_of_a_class_that_is_derived(annotation: str, names: list[str]) -> None:
    assert names_of(graph_of("await it.run()", f"it: {annotation}")) == names


def test_a_method_without_a_body_is_another_ones() -> None:
    assert names_of(graph_of("await it.send()", "it: Port")) == ["it.send() cannot be followed"]
    assert names_of(graph_of("await it.send()", "it: Alone")) == ["send"]
