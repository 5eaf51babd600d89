"""Contact Sync's table of contents: every function that Azure runs, by what starts it.

API, in `shared/api` (API Management publishes it; every call but the last three needs a token)
    tenant        get_tenant, change_tenant, prove_consent, leave_service, get_security,
                  change_security, sign_out_people, stay_in_service, export_tenant
    shares        create_share, list_shares, get_share, change_share, delete_share,
                  list_subscribers, block_subscriber, approve_subscriber, rotate_share
    publications  get_publication
    previews      preview_share, preview_import, explain_import
    imports       create_import, estimate_import, list_imports, get_import, change_import,
                  delete_import, list_import_runs, start_import_run
    adoptions     adopt_contacts
    runs          list_runs, get_run, list_run_results, approve_run, stop_run, restart_run,
                  discard_run, retry_run
    licenses      get_licenses, book_licenses, preview_booking, list_license_assignments
    people        find_person, remove_person, readmit_person
    ledger        list_ledger
    operator      list_tenants, get_customer, change_customer, sign_out_customer, get_closing
    service       health, ready, get_openapi
    checks        start_tenant_check, get_tenant_check
    notices       get_notices, change_notices, set_webhook, remove_webhook, set_teams_workflow,
                  remove_teams_workflow, send_test_notice, list_notice_deliveries
Pages, in `shared/portal/pages` (for browsers; each form carries a token of who is signed in)
    start         show_start, show_consent, ask_consent, finish_consent
    shares        show_shares, show_new_share, publish_share, show_share, show_share_form,
                  edit_share, show_withdrawal, withdraw_share, show_rotation, give_new_id,
                  show_subscriber, admit_or_block_subscriber
    new_import    show_new_import, take_new_import
    imports       show_imports, show_import, act_on_import, show_import_form, change_import_form,
                  show_import_deletion, remove_import
    mailboxes     show_mailbox_preview, show_adoption, adopt
    runs          show_runs, show_run, download_results, show_decision, decide_run, stop_sync,
                  restart_sync, retry_failed
    find          show_find, show_found, show_locations, show_person_removal, remove_or_readmit
    licenses      show_licenses, show_booking, book_seats
    settings      show_settings, change_settings, show_audit, download_audit, show_export,
                  download_export, show_leaving, leave, stay
    sign_in       sign_in, signed_in, show_signed_in, signed_in_again, sign_out, change_language,
                  get_static
    security      show_security, change_security_settings, show_sign_out, sign_people_out
    checks        show_check, start_check
    well_known    get_security_txt, show_unknown_page
    employees     show_employee_help
    notices       show_notices, change_notice_settings
    api_docs      show_api_docs
Background, in `shared/background`
    timers        start_due_runs, sweep_leftovers
    queues        start_run, check_mailboxes, sync_mailbox, close_run, leave_tenant,
                  maintain_range, check_tenant, deliver_notice, record_poison_run,
                  record_poison_check, record_poison_mailbox, record_poison_closing,
                  record_poison_leaving, record_poison_tenant_check, record_poison_notice,
                  record_poison_maintenance

Each function calls one service of `shared/services`; `shared/wiring` puts the services together.
"""

import os
from importlib import import_module
from pkgutil import iter_modules

import azure.functions as func

from shared import api, background
from shared.portal import pages
from shared.wiring.settings import check_at_load

check_at_load(os.environ)
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for package in (api, pages, background):
    for name in sorted(module.name for module in iter_modules(package.__path__)):
        app.register_functions(import_module(f"{package.__name__}.{name}").bp)
