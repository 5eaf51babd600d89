"""What the document says beside its operations and schemas: sign-in, limits, states, problems.

Figures come from the code that holds them, and a deployment's own from its settings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.adapters.storage.store import MAX_IMPORTS, MAX_SHARES
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenant_checks import CheckReason
from shared.services.idempotency import KEPT
from shared.services.sharing.resolution import MAX_CONTACTS
from shared.web.openapi.deployment import Deployment
from shared.web.operations import API, MAX_LONG_PAGE, MAX_PAGE
from shared.web.texts.checks import CAUSES
from shared.web.texts.reasons import REMEDIES
from shared.web.texts.titles import TITLES
from shared.web.validation import MAX_BODY

SUMMARY: Final = """\
Copies people and groups from Microsoft Entra ID into users' Exchange Online mailboxes. A share is a
published set of people and groups. An import brings one share into target mailboxes and runs daily.
Every call acts on the tenant of the access token; objects of other tenants return 404.
"""
PARTNER_CALLS: Final = 500_000
"""Calls a week of one subscription key, which the gateway counts (infra/main.bicepparam)."""
PROBLEM_TYPES: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "The request cannot be read."),
    "invalid-input": (400, "The query or the body is invalid; `errors` lists each invalid field."),
    "unauthenticated": (401, "The access token is missing, invalid or ended."),
    "forbidden": (403, "The caller's app role or application does not allow the call."),
    "gateway-only": (403, "The call went to the app directly, not through the gateway."),
    "consent-missing": (403, "The tenant has not granted admin consent, or withdrew it."),
    "consent-pending": (403, "The consent was granted but is not active yet. Try again."),
    "tenant-left": (403, "The tenant has left the service."),
    "premium-needed": (403, "The call needs the premium plan, and the trial is over."),
    "not-found": (404, "The caller's tenant has no object with this id."),
    "not-acceptable": (406, "The call offers none of the formats that `Accept` names."),
    "conflict": (409, "The current state does not allow the call."),
    "idempotency-key-in-use": (
        409,
        "The first call with this `Idempotency-Key` is under way. Wait `Retry-After` seconds.",
    ),
    "needs-admin": (409, "An admin has to act first; `reason` says what is missing."),
    "precondition-failed": (412, "The object has changed since it was read. Read it again."),
    "payload-too-large": (413, "The body, or the object that it would create, is too large."),
    "unsupported-media-type": (415, "The body has a content type that the call does not take."),
    "idempotency-key-reused": (422, "The `Idempotency-Key` was sent before with another request."),
    "too-many-requests": (429, "Too many calls in this minute. Wait `Retry-After` seconds."),
    "too-many-guesses": (
        429,
        "Too many share ids that do not exist. Check the id, then wait `Retry-After` seconds.",
    ),
    "quota-exceeded": (
        429,
        "The subscription key has used its calls of this week. `Retry-After` may be days: stop.",
    ),
    "internal-error": (500, "A fault of the service, which was recorded."),
    "unavailable": (503, "Temporarily unavailable. Try again after `Retry-After` seconds."),
}
"""The classes of problems that a call may return, with their status and meaning."""
OF_PORTAL: Final = frozenset({"sign-in-failed", "consent-refused"})
"""Classes that only pages show."""

_START: Final = """\
# Sign in

All paths are below `<api>`. Get an access token from Entra ID and send it as
`Authorization: Bearer`. A program registers an application in its own tenant, gets an app role of
Contact Sync (`Admin`, `Reader` or `Auditor`), and requests a token with its client credentials:

```
POST <token address>
Content-Type: application/x-www-form-urlencoded

grant_type=client_credentials&client_id=…&client_secret=…
&scope=<scope>
```

The token lives for about an hour. Without an app role, calls with it are refused.

A partner's program may also send its subscription key as `Ocp-Apim-Subscription-Key`; its calls
then count for the key.

# Conventions

- **Lists** return `items` and `next`. Send `next` back to get the next page; null ends the list.
  The `Link` header and `nextLink` have the whole address; `Location` is a path from the server's
  root. A filter is applied before the page is
  cut, so a page may be short; `sort` names the order, and a minus the reverse. An unknown filter or
  order is refused with 400.
- **Files.** Each list also answers `Accept: text/csv` and `application/x-ndjson`, page by page: the
  `Link` header has the next page. Columns of CSV are named as in JSON, with a point for inner
  objects; lists are JSON in one cell. An apostrophe stands before a text that begins like a
  formula.
- **Changes** are JSON merge patches (RFC 7396), except that null removes nothing: it leaves a
  setting unchanged, unless the setting has null as a value of its own.
- **Versions of an object.** Every object has an `etag`. Send it as `If-Match` to change only the
  version that you have read; otherwise the answer is 412, and you read the object again. Without
  `If-Match`, or with `*`, any version is changed.
- **Repeating a call.** Each POST that changes something takes an `Idempotency-Key`. Repeat a call
  whose answer was lost with the same key and body within 24 hours: the answer has the same status,
  body and `Location` as the first one, and nothing is done twice. While the first call is under way
  the answer is 409 with `Retry-After`; with another body it is 422. A key counts for one caller and
  one operation. A call that was refused (4xx) has changed nothing, and its key can be used again.
  The answer is that of the first call, even if its object was changed or deleted since.
- **Programs confirm** what cannot be undone: without `confirm`, such a call returns 200 with what
  it would do and a code, and changes nothing. Repeat it with the code, which works until what it
  would do changes; then the answer is 409 `removal_changed`, and you ask for a new code.
- **Ids.** Those of users, groups and organizational contacts are object ids of Microsoft Entra ID.
  The API does not search the directory: take them from Microsoft Graph (`GET /groups`,
  `GET /users`) or from the Entra admin center. Whether they exist is found out by previews and
  runs, not when they are sent. All other ids are opaque.
- **Times** are ISO 8601 in UTC.
- **Growth.** Responses may have further properties, and texts with `x-extensible-enum` further
  values. Treat a value that you do not know as one that needs a person's attention.

# Promise

The version of the API is part of its path (`/api/v1`). Within v1 we may add operations, optional
parameters and properties of requests, properties of responses, and values of texts with
`x-extensible-enum`. We never remove or rename anything, change a type, make something required, or
narrow a limit. A new version comes beside the old one, which then lives for at least 24 months; its
answers carry `Deprecation` (RFC 9745) and `Sunset` (RFC 8594). Until release 1.0.0 the changelog
names each breaking change.

# Runs

An import has at most one run in progress. A run that is asked for meanwhile joins it if it has not
begun to read the share; otherwise it waits behind it, and further ones join the one that waits. A
run goes `queued` → `running` and ends as `succeeded`, `skipped`, `partial`, `failed`, `held`,
`discarded` or `stopped`. Poll `GET /runs/{id}` while it is `queued` or `running`: first after the
`Retry-After` of the 202, then every 10 seconds. `held` waits for a person: stop polling and tell an
admin, who approves or discards it. An approved run goes back to `queued`.

Deleting an import answers 202 with the run that removes its contacts. The import itself is gone at
once (404); its contacts are when this run has ended. A share can be deleted while it has imports:
they stay, and their next run removes the contacts.

A check of the tenant goes `queued` → `running` → `done`.
"""

_QUICK_START: Final = """\
# Quick start

This program gets a token, publishes the members of a group as a share, imports the share into one
mailbox, follows the first run to its end, and reads its results page by page. Then it meets two
refusals: 409, because a run without failures cannot be retried, and 412, if somebody else changed
the import. Set these variables first:

| Variable | Value |
|---|---|
| `API` | `<api>` |
| `TOKEN_ADDRESS` | `<token address>` |
| `SCOPE` | `<scope>` |
| `CLIENT_ID`, `CLIENT_SECRET` | of your application, which has the app role `Admin` |
| `GROUP`, `MAILBOX` | the object ids of a group and of a user with a mailbox |

```bash
<share_and_import.sh>```

**What to do when a call is refused.**

| Status | What to do |
|---|---|
| 401 | Get a new token, once. |
| 409 | Read `code`: the state does not allow the call. If `reason` is present, tell an admin. |
| 409 `idempotency-key-in-use` | Repeat the call after `Retry-After` seconds. |
| 412 | Read the object again, decide again, and send its new `etag`. |
| 429 `too-many-requests` | Repeat the call after `Retry-After` seconds. |
| 429, other types | Stop: waiting may take days, or the share id is wrong. |
| 503, or no answer | Repeat the call, with the same `Idempotency-Key` if it is a POST. |

**Generated clients.** Get the document from `/api/openapi.json`. These are tried with each release:

```
kiota generate -l python -d openapi.json -o contact_sync -n contact_sync -c ContactSync
kiota generate -l TypeScript -d openapi.json -o contact_sync -n contact_sync -c ContactSync
openapi-python-client generate --path openapi.json --output-path contact_sync_client --meta none
openapi-typescript openapi.json --default-non-nullable false -o contact_sync.ts
```

Kiota's Python client has a module with an import from `__future__` below another import: move it to
the top. Kiota repeats calls after 429 by itself.

The same program in C#, on Kiota's client. It was not run: read it as a sketch.

```csharp
<share_and_import.cs>```
"""
_PROGRAMS: Final = Path(__file__).with_name("quick_start")
"""The programs that the page shows; a test runs the one for bash."""


def description(deployment: Deployment) -> str:
    """Return the description of the API, in Markdown; the document has its summary beside it."""
    start = f"{_START}\n{_QUICK_START}"
    for program in sorted(_PROGRAMS.iterdir()):
        start = start.replace(f"<{program.name}>", program.read_text("utf-8"))
    for name, value in (
        ("<api>", f"{deployment.origin}/{API.rstrip('/')}"),
        ("<token address>", deployment.token_address),
        ("<scope>", deployment.scope),
    ):
        start = start.replace(name, value)
    return f"{start}\n{_limits(deployment)}\n{_problems()}\n{_reasons()}"


def _limits(deployment: Deployment) -> str:
    rows = {
        "Calls a minute of one tenant, for each app role": f"{deployment.calls_per_minute:,}",
        "Calls a minute of one person or program": f"{deployment.calls_per_user:,}",
        "Calls a week of one subscription key": f"{PARTNER_CALLS:,}",
        "Body": f"{MAX_BODY // 1024} KiB",
        "Items of a page": f"{MAX_PAGE:,}",
        "Items of a page of results, licenses and audit log": f"{MAX_LONG_PAGE:,}",
        "Shares of a tenant": f"{MAX_SHARES:,}",
        "Imports of a tenant": f"{MAX_IMPORTS:,}",
        "Contacts of a share": f"{MAX_CONTACTS:,}",
        "Hours that an idempotency key and its answer are kept": f"{KEPT.days * 24}",
        "Days that runs and results are kept": f"{deployment.run_days}",
        "Days that the audit log is kept": f"{deployment.ledger_days}",
        "Days of the trial": f"{deployment.trial_days}",
    }
    lines = "\n".join(f"| {what} | {limit} |" for what, limit in rows.items())
    return f"# Limits\n\n| What | Limit |\n|---|---|\n{lines}\n"


def _problems() -> str:
    lines = "\n".join(
        f"| `urn:contact-sync:problem:{kind}` | {status} | {TITLES[kind]} | {meaning} |"
        for kind, (status, meaning) in PROBLEM_TYPES.items()
    )
    return (
        "# Errors\n\nErrors are `application/problem+json` (RFC 9457). `type` is the class, `code` "
        "the exact case; neither changes, and new ones may be added.\n\n"
        f"| Type | Status | Title | Meaning |\n|---|---|---|---|\n{lines}\n"
    )


def _reasons() -> str:
    reasons = "\n".join(f"| `{reason}` | {REMEDIES[reason]} |" for reason in Reason)
    checks = "\n".join(f"| `{reason}` | {CAUSES[reason]} |" for reason in CheckReason)
    return (
        "# Reasons\n\nWhy a run, a mailbox or a person was left out or failed.\n\n"
        f"| Reason | What it means, and what to do |\n|---|---|\n{reasons}\n\n"
        f"# Reasons of a check\n\n| Reason | Meaning |\n|---|---|\n{checks}\n"
    )
