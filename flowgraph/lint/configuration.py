"""From `pyproject.toml` to settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowgraph.lint.settings import BadSettings, Settings
from flowgraph.lint.sources import Sources

_LISTS = ("select", "extend-select", "ignore", "exclude", "extend-io")
_KEYS = (*_LISTS, "per-file-ignores")
_TABLE = "[tool.flowgraph.lint]"


def settings_for(paths: Sequence[str]) -> Settings:
    """The settings of the nearest ``pyproject.toml`` above all of the paths; the defaults where there is none.

    Raises:
        BadSettings: the file cannot be read, or has a key or a value that means nothing.
    """
    file = _nearest(paths)
    if file is None:
        return Settings()
    return _settings(file, _table(file))


def _nearest(paths: Sequence[str]) -> Path | None:
    try:
        above = Path(os.path.commonpath([Path(path).absolute() for path in paths or ["."]]))
    except ValueError:  # They are on several drives.
        return None
    for folder in (above, *above.parents):
        file = folder / "pyproject.toml"
        if file.exists() and not file.is_dir():
            return file
    return None


def _table(file: Path) -> dict[str, Any]:
    try:
        text = Sources().read(str(file)).decode()
    except OSError as error:
        raise BadSettings(str(file), f"it cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise BadSettings(str(file), f"it cannot be read: {error}") from None
    if "flowgraph" not in text:
        return {}
    import tomllib

    try:
        table: Any = tomllib.loads(text)
    except ValueError as error:
        raise BadSettings(str(file), f"it cannot be read: {error}") from None
    names = ("tool", "flowgraph", "lint")
    for place, name in enumerate(names, 1):
        table = table.get(name, {})
        if not isinstance(table, dict):
            raise BadSettings(str(file), f"[{'.'.join(names[:place])}] is {table!r}, not a table")
    return dict(table)


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    for key in table:
        if key not in _KEYS:
            known = ", ".join(_KEYS)
            raise BadSettings(str(file), f"{_TABLE} has the unknown key {key!r}; it may have {known}")
    lists = {key: _texts(file, key, table[key]) for key in _LISTS if key in table}
    return Settings(
        select=lists.get("select"),
        extend_select=lists.get("extend-select", ()),
        ignore=lists.get("ignore", ()),
        per_file_ignores=_per_file(file, table.get("per-file-ignores", {})),
        exclude=lists.get("exclude", ()),
        extend_io=lists.get("extend-io", ()),
        root=file.parent,
    )


def _per_file(file: Path, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise BadSettings(str(file), f"per-file-ignores is {value!r}, not a table of patterns and lists of codes")
    return tuple((pattern, _texts(file, f"per-file-ignores.{pattern}", codes)) for pattern, codes in value.items())


def _texts(file: Path, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadSettings(str(file), f"{key} in {_TABLE} is {value!r}, not a list of texts")
    return tuple(value)
