"""Contact Sync's table of contents: every function that Azure runs, by what starts it.

HTTP (API Management publishes it; each call needs an Entra access token, but the last three)
    tenant.py     get_tenant, change_tenant, prove_consent, leave_service, export_tenant
    shares.py     create_share, list_shares, get_share, change_share, delete_share,
                  list_consumers, block_consumer, rotate_share
    publications.py  get_publication
    previews.py   preview_share, preview_import, explain_import
    adoptions.py  adopt_contacts
    imports.py    create_import, list_imports, get_import, change_import, delete_import,
                  estimate_import, list_import_runs, start_import_run
    runs.py       list_runs, get_run, list_run_results,
                  approve_run, discard_run, retry_run
    licenses.py   get_licenses, book_licenses, preview_booking, list_seats
    people.py     find_person, remove_person, readmit_person
    ledger.py     list_ledger
    operator.py   list_tenants, get_customer, change_customer
    health.py     health, ready
    openapi.py    get_openapi
Pages (for browsers; forms carry a token of who is signed in)
    portal_start.py    show_start, show_consent, ask_consent, consented
    portal_imports.py  show_imports, show_import, act_on_import, show_import_form,
                       change_import_form, show_import_deletion, remove_import
    portal_import_new.py show_new_import, take_new_import
    portal_mailboxes.py show_mailbox_preview, show_adoption, adopt
    portal_licenses.py show_licenses, show_booking, book_seats
    portal_runs.py     show_runs, show_run, download_results, show_decision, decide_run,
                       retry_failed
    portal_find.py     show_find, show_found, show_whereabouts, show_person_removal,
                       remove_or_readmit
    portal_settings.py show_settings, change_settings, show_audit, show_export, download_export,
                       show_leaving, leave
    portal_shares.py   show_shares, show_new_share, publish_share, show_share, show_share_form,
                       edit_share, show_withdrawal, withdraw_share, show_rotation, give_new_id,
                       show_consumer, admit_or_block_consumer
    portal_sign_in.py  sign_in, signed_in, signed_in_again, sign_out, change_language, get_static
Timers
    timers.py     start_daily_runs, start_hourly_runs, sweep_leftovers
Queues
    queues.py     start_run, sync_mailbox, close_run, leave_tenant, record_poison_run,
                  record_poison_mailbox, record_poison_closing, record_poison_leaving

Each trigger calls one service of `shared/services`, wired in `shared/wiring.py`.
"""

import os

import azure.functions as func

from shared.settings import check_at_load
from shared.triggers import (
    adoptions,
    health,
    imports,
    ledger,
    licenses,
    openapi,
    operator,
    people,
    portal_find,
    portal_import_new,
    portal_imports,
    portal_licenses,
    portal_mailboxes,
    portal_runs,
    portal_settings,
    portal_shares,
    portal_sign_in,
    portal_start,
    previews,
    publications,
    queues,
    runs,
    shares,
    tenant,
    timers,
)

check_at_load(os.environ)
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    tenant,
    shares,
    publications,
    previews,
    imports,
    adoptions,
    runs,
    licenses,
    people,
    ledger,
    operator,
    health,
    openapi,
    portal_start,
    portal_shares,
    portal_import_new,
    portal_imports,
    portal_mailboxes,
    portal_runs,
    portal_find,
    portal_licenses,
    portal_settings,
    portal_sign_in,
    timers,
    queues,
):
    app.register_functions(module.bp)
