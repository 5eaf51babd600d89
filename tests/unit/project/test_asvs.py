"""The table of OWASP ASVS is complete, and what it names as proof exists."""

from typing import Final

from tests.sources import ROOT, text

PAPER: Final = ".github/asvs.md"
SECTIONS: Final = """\
1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1
4.3:2 4.4:4 5.1:1 5.2:3 5.3:2 5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2
7.4:5 7.5:2 7.6:2 8.1:2 8.2:3 8.3:1 8.4:1 9.1:3 9.2:4 10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2
10.7:3 11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1 12.1:3 12.2:2 12.3:4 13.1:1 13.2:5 13.3:2 13.4:5
14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2"""
"""How many requirements of levels 1 and 2 each section of version 5.0.0 has, from 1 on."""


def test_every_requirement_of_both_levels_is_in_one_table() -> None:
    wanted = [
        f"V{section}.{number + 1}"
        for section, most in (entry.split(":") for entry in SECTIONS.split())
        for number in range(int(most))
    ]
    rows = [line for line in text(PAPER).splitlines() if line.startswith("| V")]
    named = [id_ for row in rows for id_ in row.split("|")[1].strip().split(", ")]

    assert len(wanted) == 253
    assert sorted(named) == sorted(wanted)


def test_every_proof_exists() -> None:
    met = text(PAPER).split("\n## Met by")[0]
    proofs = [line.split("|")[4].strip(" `") for line in met.splitlines() if line.startswith("| V")]
    missing = []
    for proof in proofs:
        path, _, test = proof.partition("::")
        found = text(path) if (ROOT / path).is_file() else None
        if found is None or (test and f"def {test}(" not in found):
            missing.append(proof)

    assert len(proofs) > 80
    assert missing == []
