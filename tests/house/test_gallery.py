"""The gallery shows what the tool draws of the examples today."""

from __future__ import annotations

import gallery
import pytest


def test_the_gallery_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python tests/house/gallery.py` draws it again."""
    monkeypatch.setenv("FLOWGRAPH_DOT", "")
    drawn = {file.name: file.read_bytes() for file in gallery.FOLDER.glob("*.svg")}
    made = gallery.pictures()
    assert drawn.keys() == made.keys()
    assert [name for name in made if drawn[name] != made[name]] == []


def test_every_picture_is_on_the_page() -> None:
    page = (gallery.FOLDER / "index.md").read_text(encoding="utf-8")
    assert [name for name in gallery.PICTURES if f"]({name}.svg)" not in page] == []
