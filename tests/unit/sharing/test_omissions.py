"""Who is left out of a share, and what a list that is cut shows first."""

from shared.domain.importing.runs import Omission, rarest_first
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution


def test_a_list_that_is_cut_shows_the_rare_reasons() -> None:
    common = [Omission(id=f"d{n}", reason=Reason.DISABLED) for n in range(2_000)]
    rare = [Omission(id="x", reason=Reason.NO_EMAIL), Omission(id="y", reason=Reason.SHORTENED)]

    listed = rarest_first([*common, *rare])

    assert listed[:2] == rare
    assert listed[2:] == common


def test_ids_that_differ_by_case_are_one_person() -> None:
    resolution = Resolution()

    for id_ in ("AB", "ab", "Ab"):
        resolution.omit(id_, Reason.NOT_FOUND)
    resolution.omit("ab", Reason.EXCLUDED)

    assert list(resolution.omissions.values()) == [
        Omission(id="AB", reason=Reason.NOT_FOUND),
        Omission(id="ab", reason=Reason.EXCLUDED),
    ]
