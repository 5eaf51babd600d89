"""Cases of the queries behind the workbook's dropdowns."""

from typing import Final

from shared.domain.reasons import Reason
from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import closed, consent, joined, started, still_open
from tests.infra.answers.telemetry import swept as without_tenant

CASES: Final = (
    Case(
        "tenants-to-choose.kql",
        "every tenant with an event of these in the time range, once",
        [
            joined("09:00", "t3"),
            started("10:00", "t2/i1/r1"),
            closed("10:10", "t2/i1/r1"),
            consent("11:00", "t1", Reason.CONSENT_MISSING),
            closed("-2 10:00", "t9/i1/r0"),
            without_tenant("04:30"),
        ],
        """
        value
        t1
        t2
        t3
        """,
    ),
    Case(
        "imports-to-choose.kql",
        "imports of the chosen tenants, most runs first, none of them chosen beforehand",
        [
            closed("09:00", "t1/i1/r1"),
            started("10:00", "t1/i2/r2"),
            closed("10:10", "t1/i2/r2"),
            closed("11:00", "t1/i2/r3"),
            closed("11:00", "t2/i9/r9"),
            still_open("11:00", "t1/i3/r4"),
        ],
        """
        value | label       | selected | group
        i2    | i2 (2 runs) | False    | t1
        i1    | i1 (1 runs) | False    | t1
        i3    | i3 (1 runs) | False    | t1
        """,
        {"Tenant": "'t1'"},
    ),
    Case(
        "imports-to-choose.kql",
        "all tenants",
        [closed("09:00", "t1/i1/r1"), closed("09:00", "t2/i1/r1"), closed("09:30", "t2/i1/r2")],
        """
        value | group
        i1    | t2
        i1    | t1
        """,
    ),
    Case(
        "runs-to-choose.kql",
        "the latest run first, none of them chosen beforehand",
        [
            started("09:00", "t1/i1/r1"),
            closed("09:20", "t1/i1/r1"),
            started("10:00", "t1/i2/r2"),
            started("11:00", "t2/i3/r3"),
            # Its start was never taken.
            still_open("08:30", "t1/i3/r4"),
        ],
        """
        value | label               | selected | group
        r2    | 2026-03-02 10:00 r2 | False    | i2
        r1    | 2026-03-02 09:20 r1 | False    | i1
        r4    | 2026-03-02 08:30 r4 | False    | i3
        """,
        {"Tenant": "'t1'"},
    ),
)
