"""What readers of the document call a schema: no part of a module's path, no digit, no `View`."""

import re
from typing import Final

_SPOKEN: Final = {
    "CheckView": "DependencyCheck",
    "ReadyView": "Readiness",
    "HealthView": "Health",
    "Document": "OpenApiDocument",
    "EffectView": "BookingPreview",
    "EstimateView": "LicenseEstimate",
    "EstimateInput": "LicenseEstimateInput",
    "LicenseView": "Licenses",
    "SeatView": "AssignedLicense",
    "ChangeView": "PlannedChange",
    "ClosingView": "Closing",
    "ContactView": "Contact",
    "CustomerView": "Customer",
    "DepartureView": "Departure",
    "PlaceView": "ImportWithPerson",
    "PublishingView": "ShareWithPerson",
    "OmittingShareView": "ShareWithoutPerson",
    "SubscriberView": "Consumer",
    "TenantDataView": "StoredRow",
    "GuardLimits": "Guard",
    "RunView": "RunDetails",
    "RunSummary": "Run",
    "ResultView": "MailboxResult",
    "ConfirmationView": "Confirmation",
    "CreatedImportView": "CreatedImport",
}
"""The schemas whose name is not that of their model without `View`."""


def public_name(name: str) -> str:
    """Return what readers call the schema that pydantic calls `name`."""
    stem, ending = name, ""
    if stem.endswith(("-Input", "-Output")):
        stem = stem.rpartition("-")[0]
    elif stem.endswith("Patch"):
        stem, ending = stem.removesuffix("Patch").removesuffix("Input"), "Patch"
    page = re.fullmatch(r"ItemPage_(\w+)_", stem)
    if page is not None:
        return f"{public_name(page[1])}Page"
    return f"{_SPOKEN.get(stem, stem.removesuffix('View'))}{ending}"
