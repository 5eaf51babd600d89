"""Contact Sync's table of contents: every function that Azure runs, by what starts it.

HTTP (API Management publishes it; each call needs an Entra access token, but the
last two)
    shares.py     create_share, list_shares, get_share, change_share, delete_share
    previews.py   preview_share, preview_import, explain_import
    adoptions.py  adopt_contacts
    imports.py    create_import, list_imports, get_import, change_import, delete_import,
                  list_import_runs, start_import_run
    runs.py       list_runs, get_run, list_run_results,
                  approve_run, discard_run, retry_run
    licenses.py   get_licenses, book_licenses
    health.py     health
    openapi.py    get_openapi
Timers
    timers.py     start_daily_runs, sweep_leftovers
Queues
    queues.py     start_run, sync_mailbox, close_run,
                  record_poison_run, record_poison_mailbox, record_poison_closing

Each trigger calls one service of `shared/services`, wired in `shared/wiring.py`.
"""

import azure.functions as func

from shared.triggers import (
    adoptions,
    health,
    imports,
    licenses,
    openapi,
    previews,
    queues,
    runs,
    shares,
    timers,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
http = (shares, previews, imports, adoptions, runs, licenses, health, openapi)
for module in (*http, timers, queues):
    app.register_functions(module.bp)
