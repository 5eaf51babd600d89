"""Why a person is or is not among the contacts of a mailbox: the first reason that applies."""

from dataclasses import dataclass

from shared.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a person, a share and a mailbox.

    `omission` is why the share leaves the person out, `skipped` is why the mailbox is not synced,
    and `result` is the reason if the last run did not succeed in it. `rejected` says whether Graph
    rejected the contact, `deleted_by_user` whether the mailbox's user deleted it for good: it was
    written, is gone, and the import does not restore it.
    """

    withdrawn: bool
    published: bool
    omission: Reason | None
    present: bool
    target: bool
    skipped: Reason | None
    result: Reason | None
    rejected: bool
    deleted_by_user: bool


def why_absent(facts: Facts) -> Reason | None:
    """Return why a person is missing, or is present without being published.

    None for a person who is both present and published.
    """
    causes = (
        (facts.withdrawn, Reason.SHARE_WITHDRAWN),
        (not facts.published, facts.omission or Reason.NOT_IN_SHARE),
        (facts.present, None),
        (not facts.target, facts.skipped or Reason.NOT_A_TARGET),
        (facts.rejected, Reason.CONTACTS_REJECTED),
        (facts.deleted_by_user, Reason.DELETED_BY_USER),
        (True, facts.result or Reason.NOT_YET_SYNCED),
    )
    return next(reason for holds, reason in causes if holds)
