"""Which workflow a name stands for: in the process, and in one Runtime."""

import pytest

from flowgraph.dsl import find, names, registered, table_of, workflow
from flowgraph.errors import DefinitionError, WorkflowNotFound


def from_source(filename, *, module, line=1, name="flow", value=1):
    """A workflow as a module of that name and file would define it."""
    source = "\n" * (line - 1) + f"async def {name}():\n    return {value}\n"
    namespace = {"__name__": module}
    exec(compile(source, filename, "exec"), namespace)
    return workflow(namespace[name])


def test_every_decorated_workflow_is_found_by_name():
    flow = from_source("/a.py", module="a")
    other = from_source("/a.py", module="a", name="other", line=9)
    assert names() == ["flow", "other"]
    assert find("flow") is flow
    assert dict(registered()) == {"flow": flow, "other": other}


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    from_source("/a.py", module="a")
    for look_up in (find, registered().find):
        with pytest.raises(WorkflowNotFound) as caught:
            look_up("flwo")
        assert str(caught.value) == "There is no workflow 'flwo' here. Known: 'flow'."
    with pytest.raises(KeyError):
        registered()["flwo"]
    assert registered().get("flwo") is None


def test_decorating_the_same_function_again_replaces_it():
    from_source("/a.py", module="a", value=1)
    again = from_source("/a.py", module="a", value=2, line=7)
    assert find("flow") is again


def test_a_notebook_cell_that_is_run_again_replaces_its_workflow():
    from_source("<ipython-input-1>", module="__main__")
    again = from_source("<ipython-input-2>", module="__main__", line=3)
    assert find("flow") is again


def test_a_script_that_is_also_imported_as_a_module_is_one_source():
    from_source("/flows.py", module="__main__")
    imported = from_source("/flows.py", module="flows")
    assert find("flow") is imported


def test_two_functions_of_one_name_are_an_error_only_when_the_name_is_looked_up():
    from_source("/a.py", module="a")
    from_source("/b.py", module="b", line=5)
    fine = from_source("/b.py", module="b", name="fine", line=9)
    assert names() == ["fine", "flow"]
    table = registered()
    assert list(table) == ["fine", "flow"]
    assert (len(table), "flow" in table, table["fine"]) == (2, True, fine)
    for look_up in (find, table.find, table.get):
        with pytest.raises(DefinitionError) as caught:
            look_up("flow")
        assert str(caught.value) == (
            "The name 'flow' stands for 2 workflows: flow at /a.py:1 and flow at /b.py:5. Give one of them another "
            "name with @workflow(name=…), or give the Runtime the one that is meant with workflows=[…]."
        )


def test_functions_without_a_file_are_different_in_different_modules():
    from_source("<string>", module="a")
    from_source("<string>", module="b")
    with pytest.raises(DefinitionError, match="stands for 2 workflows"):
        find("flow")


def test_a_table_without_a_list_sees_what_is_decorated_later():
    table = table_of(None)
    assert "flow" not in table
    flow = from_source("/a.py", module="a")
    assert table["flow"] is flow


def test_a_table_of_a_list_knows_only_that_list():
    flow = from_source("/a.py", module="a")
    from_source("/a.py", module="a", name="other", line=9)
    table = table_of([flow])
    assert dict(table) == {"flow": flow}
    assert table_of([flow, flow])["flow"] is flow
    with pytest.raises(WorkflowNotFound, match="Known: 'flow'"):
        table.find("other")
    assert dict(table_of([])) == {}


def test_a_list_with_two_functions_of_one_name_is_refused():
    flow = from_source("/a.py", module="a")
    other = from_source("/b.py", module="b", line=5)
    again = from_source("/a.py", module="a", value=2)
    with pytest.raises(DefinitionError, match=r"flow at /a\.py:1 and flow at /b\.py:5"):
        table_of([flow, other])
    with pytest.raises(DefinitionError, match="stands for 2 workflows"):
        table_of([flow, again])


def test_a_list_of_something_else_is_refused():
    async def flow():
        pass

    with pytest.raises(DefinitionError, match=r"flow is not a workflow\. Decorate the function with @workflow\."):
        table_of([flow])
    with pytest.raises(DefinitionError, match=r"'flow' is not a workflow"):
        table_of(["flow"])


def test_adding_a_workflow_settles_an_ambiguous_name():
    flow = from_source("/a.py", module="a")
    other = from_source("/b.py", module="b")
    table = table_of(None)
    table.add(flow)
    assert table["flow"] is flow
    with pytest.raises(DefinitionError, match="stands for 2 workflows"):
        table.add(other)
    assert table["flow"] is flow


def test_an_added_workflow_that_is_decorated_again_is_replaced():
    flow = from_source("/a.py", module="a", value=1)
    table = table_of(None)
    table.add(flow)
    again = from_source("/a.py", module="a", value=2)
    assert table["flow"] is again
    table.add(flow)
    assert table["flow"] is flow


def test_a_fixed_list_keeps_its_edition():
    flow = from_source("/a.py", module="a", value=1)
    table = table_of([flow])
    from_source("/a.py", module="a", value=2)
    assert table["flow"] is flow
