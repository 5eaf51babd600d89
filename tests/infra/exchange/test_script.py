"""Whatever fails, what the script for Exchange claims is true, and nobody stays signed in.

PowerShell itself runs the script against stub modules. They write errors instead of throwing, show
changes late, and know the truth: whether the app can open a mailbox.
"""

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.infra.compiler.tools import PWSH, left_out
from tests.sources import ROOT

pytestmark = [
    pytest.mark.skipif(bool(left_out(PWSH)), reason=str(left_out(PWSH))),
    pytest.mark.timeout(240),
]

HERE: Final = Path(__file__).parent
APP: Final = "12345678-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
SCOPE: Final = {
    "AppId": APP,
    "Group": "synced@contoso.com",
    "Inside": "in@contoso.com",
    "Outside": "out@contoso.com",
}
CHANGING: Final = re.compile(r"(New|Set|Remove)-")
MAILBOXES: Final = {"role-Contacts.ReadWrite", "role-MailboxSettings.ReadWrite"}
WAYS: Final[dict[str, dict[str, Any]]] = {
    "set up": {"Consented": True, "Arguments": SCOPE},
    "without consent": {"Consented": False, "Arguments": SCOPE | {"GrantDirectory": True}},
    "change": {"Consented": True, "SetUp": True, "Arguments": SCOPE},
    "consent again": {"Consented": True, "SetUp": True, "Stale": True, "Arguments": SCOPE},
    "remove": {"Consented": False, "SetUp": True, "Arguments": {"AppId": APP, "Remove": True}},
    "remove, with consent": {
        "Consented": True,
        "SetUp": True,
        "Arguments": {"AppId": APP, "Remove": True},
    },
}

HISTORIES: Final[dict[str, dict[str, Any]]] = {
    "undisturbed": {},
    "changes visible late": {"Lag": 4},
    "changes never visible": {"Lag": 500},
    "preview": {"More": {"WhatIf": True}},
    "mistyped group": {"More": {"Group": "sinced@contoso.com"}},
}
"""What is different, for each way. `More` is given to the script."""
ENVIRONMENT: Final = {
    **os.environ,
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
    "DOTNET_TieredPGO": "0",  # each process is short
    "NO_COLOR": "1",
}


def run(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    file = folder / "cases.json"
    file.write_text(json.dumps([{"AppId": APP, **case} for case in cases]), "utf-8")
    script = ROOT / "infra" / "exchange-rbac.ps1"
    answers = folder / "answers.json"
    done = subprocess.run(  # noqa: S603 - Microsoft's PowerShell
        [PWSH.path(), "-NoProfile", "-NonInteractive", HERE / "run.ps1", file, script, answers],
        check=False,
        text=True,
        capture_output=True,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(answers.read_text("utf-8"))
    assert len(found) == len(cases)
    return found


@cache
def played(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Play each history of each way, in one process, since PowerShell takes long to start."""
    labels, cases = [], []
    for history, different in HISTORIES.items():
        for way, case in WAYS.items():
            arguments = case["Arguments"] | different.get("More", {})
            if history == "mistyped group" and "Group" not in case["Arguments"]:
                continue
            labels.append((history, way))
            cases.append({**case, **different, "Arguments": arguments})
    found: dict[str, dict[str, dict[str, Any]]] = {history: {} for history in HISTORIES}
    for (history, way), answer in zip(labels, run(cases, folder), strict=True):
        found[history][way] = answer
    return found


def undisturbed(folder: Path) -> dict[str, dict[str, Any]]:
    return played(folder)["undisturbed"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exchange")


def lies(answer: dict[str, Any]) -> list[str]:
    """What the script claims although it is not so."""
    said = " ".join(answer["Said"])
    claims = {
        "Verified": not answer["InsideOpen"]
        or answer["OutsideOpen"]
        or bool(MAILBOXES & set(answer["Grants"])),
        "nothing of this script is left": answer["Ours"] > 0,
        "no access to mailboxes now": answer["InsideOpen"] or answer["OutsideOpen"],
    }
    return [claim for claim, untrue in claims.items() if claim in said and untrue]


@pytest.mark.parametrize("way", [way for way in WAYS if "remove" not in way])
def test_script_opens_the_scope_and_nothing_else(way: str, folder: Path) -> None:
    answer = undisturbed(folder)[way]

    assert answer["Failure"] == ""
    assert any("Verified" in line for line in answer["Said"])
    assert (answer["InsideOpen"], answer["OutsideOpen"]) == (True, False)
    assert len(answer["Pointers"]) == 1
    assert not MAILBOXES & set(answer["Grants"])
    assert len(answer["Grants"]) == 3
    assert not answer["SignedIn"]


def test_remove_says_what_access_is_left(folder: Path) -> None:
    alone = undisturbed(folder)["remove"]
    consented = undisturbed(folder)["remove, with consent"]

    assert (alone["Ours"], alone["Pointers"], alone["InsideOpen"]) == (0, [], False)
    assert any("no access to mailboxes now" in line for line in alone["Said"])
    assert consented["OutsideOpen"]
    assert any("still grants access to every mailbox" in line for line in consented["Said"])


def test_no_failing_call_makes_the_script_claim_what_is_not_so(folder: Path) -> None:
    labels, cases = [], []
    for way, case in WAYS.items():
        for command, calls in undisturbed(folder)[way]["Calls"].items():
            for at in range(1, calls + 1):
                for persists in (False, True):
                    labels.append((way, command, at, persists))
                    cases.append({**case, "Fails": command, "FailsAt": at, "Persists": persists})
    answers = dict(zip(labels, run(cases, folder), strict=True))

    assert len(cases) > 160
    assert {label: found for label, answer in answers.items() if (found := lies(answer))} == {}
    silent = [
        label
        for label, answer in answers.items()
        # Signing out is no part of the task.
        if not answer["Failure"] and not label[1].startswith("Disconnect")
    ]
    assert silent == []
    signed_in = [
        label
        for label, answer in answers.items()
        if answer["SignedIn"] and not label[1].startswith("Disconnect")
    ]
    assert signed_in == []


def test_changes_that_are_visible_late_are_no_faults(folder: Path) -> None:
    answers = played(folder)["changes visible late"].values()

    assert [answer["Failure"] for answer in answers] == [""] * len(WAYS)
    assert [found for answer in answers if (found := lies(answer))] == []


def test_changes_that_never_become_visible_are_not_claimed(folder: Path) -> None:
    answers = played(folder)["changes never visible"].values()

    assert [found for answer in answers if (found := lies(answer))] == []
    assert all(answer["Failure"] for answer in answers)


def test_a_preview_changes_nothing_and_claims_nothing(folder: Path) -> None:
    answers = played(folder)["preview"]

    for answer in answers.values():
        said = " ".join(answer["Said"])
        assert "Verified" not in said
        assert "nothing of this script is left" not in said
        assert "did not create" not in said
        assert not answer["SignedIn"]
        assert [call for call in answer["Calls"] if CHANGING.match(call)] == []
    assert answers["remove"]["Ours"] == 3
    assert len(answers["set up"]["Grants"]) == 5


def test_a_mistyped_group_is_refused(folder: Path) -> None:
    answers = played(folder)["mistyped group"]

    assert len(answers) == 4
    for answer in answers.values():
        assert "groups are called sinced@contoso.com" in answer["Failure"]
    assert answers["set up"]["Ours"] == 0


def test_help_begins_with_the_synopsis() -> None:
    command = f"Get-Help {ROOT / 'infra' / 'exchange-rbac.ps1'} -Full | Out-String"
    done = subprocess.run(  # noqa: S603 - Microsoft's PowerShell
        [PWSH.path(), "-NoProfile", "-NonInteractive", "-Command", command],
        check=False,
        text=True,
        capture_output=True,
        env=ENVIRONMENT,
    )

    assert "Limits Contact Sync to selected mailboxes" in done.stdout
    assert "#Requires" not in done.stdout
