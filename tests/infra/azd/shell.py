"""Runs a hook as azd does, with stubs of `az` and `azd` first in the path.

The stubs write down each call and answer by its words. `az` keeps the truth about the vault: a file
for each version of the session key.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.sources import ROOT

_STUB: Final = r"""#!/usr/bin/env bash
call="${0##*/} $*"
echo "$call" >>"$STATE/calls"
number=$(wc -l <"$STATE/calls")
for answer in "$STATE"/answers/*; do
    [ -e "$answer/words" ] || continue
    if [[ "$call" == *"$(cat "$answer/words")"* ]]; then
        left=$(cat "$answer/times")
        [ "$left" = 0 ] && continue
        echo $((left - 1)) >"$answer/times"
        cat "$answer/out"
        cat "$answer/err" >&2
        exit "$(cat "$answer/code")"
    fi
done
if [ "$number" = "${FAIL_AT:-0}" ]; then
    echo "ERROR: (Failed) call $number" >&2
    exit 1
fi
case "$call" in
    *"--query user.type"*) echo user ;;
    *"--query id"*) echo "$AZURE_PRINCIPAL_ID" ;;
    *"keyvault secret list"*) ls "$STATE/vault" | wc -l ;;
    *"keyvault secret set"*)
        while [ "$1" != --file ]; do shift; done
        stat -c %a "$2" >"$STATE/mode"
        echo "$2" >"$STATE/file"
        cp "$2" "$STATE/vault/$(ls "$STATE/vault" | wc -l)" ;;
esac
"""
ALWAYS: Final = 99
SETTINGS: Final = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_LOCATION": "westeurope",
    "AZURE_SUBSCRIPTION_ID": "11111111-1111-4111-8111-111111111111",
    "AZURE_PRINCIPAL_ID": "22222222-2222-4222-8222-222222222222",
    "ALERT_EMAIL": "operations@example.com",
    "PUBLISHER_EMAIL": "service@example.com",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a hook did: its exit code, what it said, its calls, and the keys in the vault then."""

    code: int
    out: str
    err: str
    calls: list[str]
    keys: list[str]


class Shell:
    """One machine, on which hooks run one after the other."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.temporary = folder / "tmp"
        self._bin = folder / "bin"
        for made in (self.state / "vault", self.state / "answers", self.temporary, self._bin):
            made.mkdir(parents=True)
        for name in ("az", "azd"):
            self.install(name)

    def install(self, name: str) -> None:
        (self._bin / name).write_text(_STUB, "utf-8")
        (self._bin / name).chmod(0o755)

    def remove(self, name: str) -> None:
        (self._bin / name).unlink()

    def answer(
        self, words: str, code: int = 1, out: str = "", err: str = "", times: int = ALWAYS
    ) -> None:
        """Answer calls that contain these words, so many times."""
        place = self.state / "answers" / str(len(list((self.state / "answers").iterdir())))
        place.mkdir()
        for name, text in {"words": words, "code": code, "out": out, "err": err}.items():
            (place / name).write_text(str(text), "utf-8")
        (place / "times").write_text(str(times), "utf-8")

    def run(self, script: str, settings: Mapping[str, str] = SETTINGS, fail_at: int = 0) -> Told:
        """Run the `run` of a hook: a script as it is, or else lines in a script of /bin/sh.

        So does azd (azure-dev, pkg/tools/bash): its own script begins with `set -e`.
        """
        calls = self.state / "calls"
        calls.write_text("", "utf-8")
        command = [str(ROOT / script)]
        if not (ROOT / script).is_file():
            lines = self.temporary.parent / "inline.sh"
            lines.write_text(f"#!/bin/sh\nset -e\n\n{script}\n", "utf-8")
            lines.chmod(0o755)
            command = [str(lines)]
        tools = [str(Path(found).parent) for found in map(shutil.which, ("bash", "cat")) if found]
        done = subprocess.run(  # noqa: S603 - our own scripts
            command,
            check=False,
            text=True,
            capture_output=True,
            cwd=ROOT,
            timeout=60,
            env={
                "PATH": os.pathsep.join([str(self._bin), *dict.fromkeys(tools)]),
                "STATE": str(self.state),
                "TMPDIR": str(self.temporary),
                "FAIL_AT": str(fail_at),
                "SESSION_KEY_WAIT": "0",
                **settings,
            },
        )
        return Told(
            done.returncode,
            done.stdout,
            done.stderr,
            calls.read_text("utf-8").splitlines(),
            [key.read_text("utf-8") for key in sorted((self.state / "vault").iterdir())],
        )
