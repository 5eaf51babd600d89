"""Contact Sync's table of contents: every function that Azure runs, by what starts it.

API, in `shared/api` (API Management publishes it; every call but the last three needs a token)
    tenant        get_tenant, change_tenant, prove_consent, leave_service, export_tenant
    shares        create_share, list_shares, get_share, change_share, delete_share,
                  list_consumers, block_consumer, rotate_share
    publications  get_publication
    previews      preview_share, preview_import, explain_import
    imports       create_import, list_imports, get_import, change_import, delete_import,
                  estimate_import, list_import_runs, start_import_run
    adoptions     adopt_contacts
    runs          list_runs, get_run, list_run_results, approve_run, discard_run, retry_run
    licenses      get_licenses, book_licenses, preview_booking, list_seats
    people        find_person, remove_person, readmit_person
    ledger        list_ledger
    operator      list_tenants, get_customer, change_customer
    health        health, ready
    openapi       get_openapi
Pages, in `shared/portal/pages` (for browsers; each form carries a token of who is signed in)
    start         show_start, show_consent, ask_consent, consented
    shares        show_shares, show_new_share, publish_share, show_share, show_share_form,
                  edit_share, show_withdrawal, withdraw_share, show_rotation, give_new_id,
                  show_consumer, admit_or_block_consumer
    new_import    show_new_import, take_new_import
    imports       show_imports, show_import, act_on_import, show_import_form,
                  change_import_form, show_import_deletion, remove_import
    mailboxes     show_mailbox_preview, show_adoption, adopt
    runs          show_runs, show_run, download_results, show_decision, decide_run, retry_failed
    find          show_find, show_found, show_whereabouts, show_person_removal,
                  remove_or_readmit
    licenses      show_licenses, show_booking, book_seats
    settings      show_settings, change_settings, show_audit, show_export, download_export,
                  show_leaving, leave
    sign_in       sign_in, signed_in, signed_in_again, sign_out, change_language, get_static
Background, in `shared/background`
    timers        start_daily_runs, start_hourly_runs, sweep_leftovers
    queues        start_run, sync_mailbox, close_run, leave_tenant, record_poison_run,
                  record_poison_mailbox, record_poison_closing, record_poison_leaving

Each function calls one service of `shared/services`; `shared/wiring` puts the services together.
"""

import os

import azure.functions as func

from shared.api import adoptions as api_adoptions
from shared.api import health as api_health
from shared.api import imports as api_imports
from shared.api import ledger as api_ledger
from shared.api import licenses as api_licenses
from shared.api import openapi as api_openapi
from shared.api import operator as api_operator
from shared.api import people as api_people
from shared.api import previews as api_previews
from shared.api import publications as api_publications
from shared.api import runs as api_runs
from shared.api import shares as api_shares
from shared.api import tenant as api_tenant
from shared.background import queues, timers
from shared.portal.pages import find as pages_find
from shared.portal.pages import imports as pages_imports
from shared.portal.pages import licenses as pages_licenses
from shared.portal.pages import mailboxes as pages_mailboxes
from shared.portal.pages import new_import as pages_new_import
from shared.portal.pages import runs as pages_runs
from shared.portal.pages import settings as pages_settings
from shared.portal.pages import shares as pages_shares
from shared.portal.pages import sign_in as pages_sign_in
from shared.portal.pages import start as pages_start
from shared.wiring.settings import check_at_load

check_at_load(os.environ)
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    api_tenant,
    api_shares,
    api_publications,
    api_previews,
    api_imports,
    api_adoptions,
    api_runs,
    api_licenses,
    api_people,
    api_ledger,
    api_operator,
    api_health,
    api_openapi,
    pages_start,
    pages_shares,
    pages_new_import,
    pages_imports,
    pages_mailboxes,
    pages_runs,
    pages_find,
    pages_licenses,
    pages_settings,
    pages_sign_in,
    timers,
    queues,
):
    app.register_functions(module.bp)
