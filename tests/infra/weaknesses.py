"""Checks the template against published security policies with checkov; `make lint` runs it.

checkov silently leaves out files that it cannot parse, so the resources it read are counted as
well. A check that does not apply is skipped beside the resource, with the reason.
"""

import json
import re
import subprocess
import sys
from typing import Any, Final

from tests.infra.readers.bicep import INFRA
from tests.sources import files

_DECLARED: Final = re.compile(r"^\s*resource \w+ '[^']+'(?! existing)", re.MULTILINE)
_SKIPPED: Final = re.compile(r"checkov:skip=")
_EXPLAINED: Final = re.compile(r"checkov:skip=CKV\w+: ?\S+")


def main(checkov: str) -> int:
    """Print what failed, if anything, and return the exit code."""
    command = [checkov, "--framework", "bicep", "--directory", str(INFRA), "--compact", "--quiet"]
    done = subprocess.run(  # noqa: S603 - our own environment
        [*command, "--skip-download", "--output", "json"],
        check=False,
        text=True,
        capture_output=True,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
        summary = found["summary"]
    except (KeyError, ValueError):
        print(f"checkov did not answer: {done.stdout[-500:]}{done.stderr[-2000:]}")
        return 2
    wrong = [
        f"{check['check_id']} {check['file_path'].lstrip('/')} {check['resource']}: "
        f"{check['check_name']}"
        for check in found.get("results", {}).get("failed_checks", [])
    ]
    if summary["parsing_errors"]:
        wrong.append(f"{summary['parsing_errors']} files could not be read.")
    texts = [path.read_text("utf-8") for path in files(INFRA, "*.bicep")]
    declared = sum(len(_DECLARED.findall(text)) for text in texts)
    if summary["resource_count"] < declared:
        wrong.append(f"{summary['resource_count']} of {declared} resources were checked.")
    if any(len(_SKIPPED.findall(text)) != len(_EXPLAINED.findall(text)) for text in texts):
        wrong.append("A skipped check has no reason beside it.")
    print("\n".join(wrong) or f"checkov: {summary['passed']} passed, {summary['skipped']} skipped.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
