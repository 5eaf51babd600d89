"""The search for leaks finds real ones; otherwise the suite's logs would always look clean."""

from pathlib import Path

import pytest

from tests.leaks import leaks


@pytest.mark.parametrize(
    "line",
    [
        "got eyJhbGciOiJSUzI1NiJ9.eyJ0aWQiOiJjb250b3NvIn0.c2lnbmF0dXJl",
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
        "GET /join/signed-in?code=0.AAAAabcdefgh&state=1",
        "client_assertion=abcdefghijkl",
        "-----BEGIN PRIVATE KEY-----",
        "AccountName=x;AccountKey=Eby8vdM02xNOcqFl",
        "cannot map ada@contoso.example",
        "Person 12 was left out",
        "called +49 30 0001",
        "the key is hunter2-hunter2",
    ],
)
def test_a_leak_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "host.log").write_text(f"fine\n{line}\n", "utf-8")

    found = list(leaks(tmp_path, ["hunter2-hunter2"]))

    assert found
    assert all(place.startswith("host.log:2 ") for place in found)


def test_ids_and_counts_are_not_leaks(tmp_path: Path) -> None:
    (tmp_path / "host.log").write_text(
        "run 9998-abc of import 0123abcd: succeeded, 12 mailboxes, 3 Graph requests\n", "utf-8"
    )

    assert list(leaks(tmp_path, ["hunter2-hunter2"])) == []
