"""`make lint`: the template compiles without a warning in every variant, and is formatted.

With `format` it formats the template instead. With `left-out` it only says which checks the tests
left out, if any: the last thing that `make test` says.
"""

import sys

from tests.infra.compiler import bicep
from tests.infra.compiler.tools import BICEP, KIOTA, PWSH, Missing, left_out
from tests.infra.compiler.variants import VARIANTS


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
        for name, settings in VARIANTS.items():
            try:
                bicep.snapshot(settings)
            except bicep.Refused as error:
                wrong.append(f"variant {name}: {error}")
    print("\n".join(wrong) or f"bicep: main.bicep and {len(VARIANTS)} variants compile.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
