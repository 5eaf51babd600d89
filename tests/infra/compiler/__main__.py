"""`make lint`: the template compiles without a warning in every variant, and is formatted.

With `format` it formats the template instead. With `left-out` it only says which checks the tests
left out, if any: the last thing that `make test` says.
"""

import sys
from typing import Final

from tests.infra.compiler import bicep
from tests.infra.compiler.tools import BICEP, KIOTA, PWSH, Missing, left_out
from tests.infra.compiler.variants import VARIANTS

# Between them, they set texts, numbers and flags.
_BY_COMMAND: Final = ("waiting-instances", "no-gateway")


def main(task: str = "check") -> int:
    """Print what is wrong, if anything, and return the exit code."""
    words = [words for tool in (BICEP, PWSH, KIOTA) if (words := left_out(tool))]
    if words:
        print(*words, sep="\n")
    if task == "left-out" or left_out(BICEP):
        return 0
    try:
        BICEP.path()
    except Missing as error:
        print(error)
        return 2
    if task == "format":
        bicep.reformat()
        return 0
    wrong = bicep.build().splitlines()
    wrong += [f"{name}: run `make format`." for name in bicep.misformatted()]
    if not wrong:
        wrong += _variants()
    print("\n".join(wrong) or f"bicep: main.bicep and {len(VARIANTS)} variants compile.")
    return 1 if wrong else 0


def _variants() -> list[str]:
    """What is wrong with the variants, and with the way in which the tests evaluate them."""
    wrong = []
    for name, settings in VARIANTS.items():
        try:
            found = bicep.snapshot(settings)
            if name in _BY_COMMAND and found != bicep.snapshot_by_command(settings):
                wrong.append(f"variant {name}: the compiler's command says something else.")
        except bicep.Refused as error:
            wrong.append(f"variant {name}: {error}")
    return wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
