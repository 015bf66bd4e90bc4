"""What users type: JSON, tags, moments; a sentence for each mistake."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowgraph.cli.inputs import moment_of, read_json, tags_of
from flowgraph.cli.trouble import Trouble

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "--input is no valid JSON: Expecting value at line 1, column 1."),
        ('{"a": }', "--input is no valid JSON: Expecting value at line 1, column 7."),
        ("[1,\n 2", "--input is no valid JSON: Expecting ',' delimiter at line 2, column 3."),
        (
            "hello",
            "--input is no valid JSON: Expecting value at line 1, column 1. For text, quote it twice: '\"hello\"'.",
        ),
        ("[NaN]", "--input is no valid JSON: NaN is no number in JSON."),
        ("-Infinity", "--input is no valid JSON: -Infinity is no number in JSON."),
        ("[" * 100_000, "--input is no valid JSON: it is nested too deeply."),
        ("9" * 10_000, "--input is no valid JSON: Exceeds the limit"),
        ("@nowhere.json", "--input @nowhere.json: the file cannot be read: No such file or directory."),
        ("@.", "--input @.: the file cannot be read: Is a directory."),
    ],
)
def test_wrong_json_says_where(text: str, said: str) -> None:
    with pytest.raises(Trouble) as caught:
        read_json(text, "--input")
    assert str(caught.value).startswith(said)


def test_json_from_a_file(folder: Path) -> None:
    Path("a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_json("@a.json", "--input") == {"a": "é"}
    Path("b.json").write_text("{")
    with pytest.raises(Trouble, match=r"--input from b.json is no valid JSON: .* at line 1, column 2"):
        read_json("@b.json", "--input")
    Path("c.json").write_bytes(b"ab\xff")
    with pytest.raises(Trouble, match=r"--input @c.json: the file is no UTF-8 text \(byte 2\)"):
        read_json("@c.json", "--input")


def test_json_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("[1, 2]"))
    assert read_json("-", "--input") == [1, 2]
    monkeypatch.setattr("sys.stdin", io.StringIO("["))
    with pytest.raises(Trouble, match="--input from stdin is no valid JSON"):
        read_json("-", "--input")


def test_tags() -> None:
    assert tags_of(("team=red", "note=a=b", "empty=")) == {"team": "red", "note": "a=b", "empty": ""}
    for wrong in ("team", "=red"):
        with pytest.raises(Trouble, match=f"--tag {wrong}: write it as name=value"):
            tags_of((wrong,))


def test_moments() -> None:
    assert moment_of(None, "--since") is None
    assert moment_of("90m", "--since", NOW) == NOW - timedelta(minutes=90)
    assert moment_of("2030-01-31T09:00+02:00", "--since") == datetime(2030, 1, 31, 7, tzinfo=UTC)
    here = moment_of("2030-01-31", "--since")
    assert here is not None
    assert here == datetime(2030, 1, 31).astimezone()


@pytest.mark.parametrize("text", ["yesterday", "", "-2h", "2 weeks", "2030-13-01", "9999999d"])
def test_a_moment_that_is_none_says_how_to_write_one(text: str) -> None:
    with pytest.raises(Trouble, match=f"--since {text}: write a moment such as 2030-01-31T09:00 or a duration"):
        moment_of(text, "--since")
