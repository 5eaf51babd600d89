"""English error texts: a text for each code, and a title for each kind of error.

The portal's catalogs translate them. A text says what happened, to what, and what to do next, in at
most two sentences. The text of a field error follows the name of the field.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.domain.error_codes import Code
from shared.domain.errors import (
    CallerError,
    FieldError,
    NeedsAdmin,
    TransientError,
    Value,
)
from shared.domain.reasons import Reason
from shared.domain.texts import N_
from shared.web.texts.reasons import REMEDIES
from shared.web.texts.titles import TITLES

TEXTS: Final[Mapping[Code, str]] = {
    # the caller's identity
    "token_missing": N_(
        "The call has no access token. Send one in the header 'Authorization: Bearer …'."
    ),
    "token_is_id_token": N_("This is an ID token. Send an access token for this API."),
    "token_of_user": N_("This token belongs to a user. Send one that belongs to an app."),
    "token_of_other_sign_in": N_("The ID token belongs to another sign-in. Sign in again."),
    "token_without_ids": N_(
        "The access token contains no tenant ID or no user ID. Request a new one from Entra ID."
    ),
    "token_issuer_wrong": N_(
        "The access token was not issued by Entra ID for its own tenant. Request a new one from "
        "Entra ID."
    ),
    "token_key_unknown": N_(
        "The access token is signed with a key that Entra ID does not publish. Request a "
        "new one from Entra ID."
    ),
    "token_algorithm_wrong": N_(
        "The access token is not signed with RS256. Request a new one from Entra ID."
    ),
    "token_expired": N_("The access token has expired. Sign in again."),
    "token_audience_wrong": N_(
        "The access token was issued for another application. Request one for this API."
    ),
    "token_invalid": N_(
        "The access token is not valid (%(cause)s). Request a new one from Entra ID."
    ),
    "personal_account": N_("This is a personal account. Sign in with a work account."),
    "not_signed_in": N_("You are not signed in. Sign in and try again."),
    "session_ended": N_("You were signed out. Sign in again."),
    "sign_in_again": N_(
        "This cannot be undone, so it needs a sign-in from the last %(minutes)s minutes. Sign in "
        "again, and repeat it."
    ),
    "gateway_only": N_(
        "You cannot call this address directly. Call the API at %(api)s, or open the portal at "
        "%(portal)s."
    ),
    # sign-in and consent
    "sign_in_declined": N_(
        "The sign-in or the requested consent was declined. Sign in again if that was a mistake."
    ),
    "sign_in_needs_consent": N_(
        "Your organization requires admin consent for this sign-in. Ask an admin to sign in first."
    ),
    "sign_in_interrupted": N_("Entra ID requires a new sign-in. Sign in again."),
    "sign_in_nobody": N_("You are not signed in to Microsoft. Sign in again."),
    "sign_in_refused": N_(
        "Entra ID rejected the sign-in. Sign in again, or contact your administrator."
    ),
    "sign_in_not_ours": N_("This sign-in was not started from Contact Sync. Sign in again."),
    "sign_in_not_accepted": N_("Entra ID did not accept the sign-in. Sign in again."),
    "sign_in_expired": N_(
        "The sign-in was started in another browser or has expired. Sign in again."
    ),
    "consent_declined": N_(
        "The consent was declined, so no permissions were granted. Try again if that was a mistake."
    ),
    "consent_needs_admin": N_(
        "This account cannot grant consent. Ask a Global Administrator or a Privileged Role "
        "Administrator."
    ),
    "consent_refused": N_("Entra ID did not grant consent. Try again."),
    "consent_pending": N_(
        "Consent was granted but is not active yet. This usually takes minutes, sometimes hours. "
        "Open Contact Sync again later."
    ),
    "consent_expired": N_(
        "The consent request was started in another browser or has expired. Try again."
    ),
    "consent_not_ours": N_("This consent request was not started in this browser. Try again."),
    "consent_account_changed": N_(
        "Someone else has signed in since the consent request was started. Try again."
    ),
    "permissions_missing": N_(
        "Contact Sync needs permissions that your organization has not granted: %(permissions)s. "
        "Ask a Global or Privileged Role Administrator to grant consent on the portal's page "
        "/consent, or in Entra ID at /%(tenant)s/v2.0/adminconsent."
    ),
    "tenant_not_connected": N_(
        "Your organization is not connected to Contact Sync. Ask a Global or Privileged Role "
        "Administrator to grant consent on the portal's page /consent, or in Entra ID at "
        "/%(tenant)s/v2.0/adminconsent."
    ),
    # permissions and limits
    "role_missing": N_(
        "You need the app role %(roles)s. Ask an administrator of your organization to assign it "
        "in the Entra admin center under Enterprise applications > Contact Sync."
    ),
    "client_not_allowed": N_(
        "The application %(client)s may not act for people of your organization. Ask an admin to "
        "allow it in the portal under Settings > Security."
    ),
    "only_global_admin": N_(
        "This account cannot connect your organization. Ask a Global Administrator or a "
        "Privileged Role Administrator."
    ),
    "form_not_ours": N_(
        "This form was not sent from a page of Contact Sync. Open the page and try again."
    ),
    "form_expired": N_("This page was opened with another account or has expired. Open it again."),
    "tenant_left": N_(
        "Your organization has left Contact Sync, and its data was erased. To use Contact Sync "
        "again, reconnect your organization."
    ),
    "tenant_leaving": N_(
        "Your organization is leaving Contact Sync, so nothing can be changed. Wait until "
        "it has left."
    ),
    "premium_needed_on_demand": N_(
        "Starting a sync manually requires the premium plan. Contact us to upgrade, or wait for "
        "the daily sync."
    ),
    "premium_needed_schedule": N_(
        "Syncing more than once a day requires the premium plan. Contact us to upgrade, or choose"
        " the daily schedule."
    ),
    "too_many_calls": N_(
        "Your organization exceeded the limit of %(limit)s API calls per minute. Wait for the "
        "number of seconds in Retry-After."
    ),
    "too_many_own_calls": N_(
        "You exceeded the limit of %(limit)s calls per minute. Wait for the number of seconds in "
        "Retry-After."
    ),
    "too_many_strangers": N_(
        "Too many calls from your network without a sign-in. Try again in a minute."
    ),
    "too_many_sign_ins": N_("Too many sign-ins from your network. Try again in a minute."),
    "too_many_reads": N_(
        "Too many previews of this partner's share (maximum %(limit)s per hour). Try again later."
    ),
    "too_many_guesses": N_("Too many wrong share IDs. Check the ID, and try again later."),
    "too_many_checks": N_(
        "The last check of your organization began less than a minute ago. Wait for the number of "
        "seconds in Retry-After."
    ),
    "too_many_tests": N_(
        "The last test was sent less than a minute ago. Wait for the number of seconds in "
        "Retry-After."
    ),
    # objects that do not exist
    "unknown_call": N_("The API has no such call. See /api/openapi.json for all calls."),
    "unknown_page": N_(
        "There is no page at this address. It may be mistyped, or what it showed was removed."
    ),
    "unknown_id": N_("This ID was not found in your organization. Check the ID."),
    "unknown_share": N_("There is no share '%(id)s' in your organization. Check the ID."),
    "unknown_import": N_("There is no import '%(id)s' in your organization. Check the ID."),
    "unknown_run": N_("There is no sync '%(id)s' in your organization. Check the ID."),
    "unknown_tenant": N_("There is no organization '%(id)s'. Check the ID."),
    "unknown_license": N_("There is no license for the organization '%(id)s'. Check the ID."),
    "never_checked": N_(
        "The connection of your organization has not been checked yet, or the result has expired. "
        "Start a check with POST /tenant/check."
    ),
    "not_a_subscriber": N_("The organization '%(id)s' does not import this share. Check the ID."),
    "share_not_open": N_(
        "No share with this ID is available to your organization. Check the ID, or ask the "
        "publisher for access."
    ),
    "folder_unknown": N_("The mailbox has no contact folder with this name. Check the name."),
    "folder_gone": N_("The folder no longer exists in the mailbox. Open the preview again."),
    # conflicts with the current state
    "already_exists": N_("This object already exists. Read it before you try again."),
    "changed_meanwhile": N_(
        "This was changed or deleted after you opened it. Open it again, and repeat your change."
    ),
    "nothing_to_approve": N_("This sync has no changes to approve. See its results."),
    "nothing_to_discard": N_("This sync has no changes to discard. See its results."),
    "run_not_ended": N_("This sync is still in progress. Wait until it has finished."),
    "nothing_failed": N_("No mailbox failed in this sync. There is nothing to retry."),
    "preview_outdated": N_("The contacts have changed since the preview. Open the preview again."),
    "nothing_to_match": N_(
        "The share was withdrawn, so there are no contacts to match. Choose another import."
    ),
    "import_has_folder": N_(
        "The import already has its own folder in this mailbox. Create the import paused, "
        "adopt the contacts, and then activate it."
    ),
    "too_many_shares": N_(
        "Your organization has reached the maximum of %(limit)s shares. Delete or combine some."
    ),
    "too_many_imports": N_(
        "Your organization has reached the maximum of %(limit)s imports. Delete or combine some."
    ),
    "own_tenant_not_blockable": N_(
        "You cannot block your own organization. Delete its imports instead."
    ),
    "webhook_missing": N_("No receiver is turned on there. Set its address first."),
    "format_not_offered": N_(
        "This call does not answer in the formats of Accept. Choose one of: %(types)s."
    ),
    "idempotency_key_in_use": N_(
        "The first call with this Idempotency-Key is still being processed. Wait, then repeat it."
    ),
    "idempotency_key_reused": N_(
        "This Idempotency-Key was already used with a different request. Use a new key."
    ),
    "idempotency_key_of_deleted_import": N_(
        "The import created with this Idempotency-Key was deleted. Use a new key."
    ),
    "idempotency_key_of_withdrawn_share": N_(
        "The share created with this Idempotency-Key was withdrawn. Use a new key."
    ),
    "removal_changed": N_("The data to remove has changed. Review it, and confirm again."),
    "confirmation_needed": N_(
        "Cancelling licenses needs a confirmation. Call POST /licenses/effect, and send its "
        "confirm code."
    ),
    # input that is too large or malformed
    "body_too_large": N_("The body is too large (maximum %(limit)s KiB). Send a smaller one."),
    "body_too_complex": N_(
        "The body has too many values (maximum %(limit)s). Send it in several calls."
    ),
    "query_too_long": N_("The query has too many parameters (maximum %(limit)s). Send fewer."),
    "form_too_many_fields": N_(
        "The form has too many fields (maximum %(limit)s). Select fewer entries."
    ),
    "form_too_large": N_("The form is too large (maximum %(limit)s KiB). Enter less data."),
    "object_too_large": N_(
        "Too large to save: %(size)s KiB (maximum %(limit)s KiB). Split it into several shares or "
        "imports."
    ),
    "input_invalid": N_("Some fields are invalid: %(fields)s. Correct them and try again."),
    "query_invalid": N_(
        "Some query parameters are invalid: %(fields)s. Correct them and try again."
    ),
    "body_not_carriable": N_(
        "The body contains text or numbers that JSON does not allow. Remove them and try again."
    ),
    "body_too_deep": N_("The body is nested too deeply. Reduce the nesting."),
    "body_not_json": N_(
        "The body is not valid JSON: line %(line)s, column %(column)s. Correct it and try again."
    ),
    "body_unreadable": N_("The body is not JSON in UTF-8. Correct it and try again."),
    "body_number_invalid": N_(
        "The body is not valid JSON: %(number)s is not a JSON number. Correct it and try again."
    ),
    "body_not_object": N_("The body is not a JSON object. Send an object."),
    "content_type_wrong": N_("The Content-Type is not supported. Use %(types)s."),
    "form_type_wrong": N_(
        "The Content-Type of a form must be %(type)s. Submit the form on a Contact Sync page."
    ),
    "idempotency_key_too_long": N_(
        "The Idempotency-Key is too long (maximum %(limit)s characters). Use a shorter one."
    ),
    # errors of one field
    "missing": N_("is missing"),
    "unexpected": N_("is not expected here"),
    "repeated": N_("appears more than once"),
    "not_integer": N_("must be a whole number"),
    "not_number": N_("must be a number"),
    "not_text": N_("must be text"),
    "not_boolean": N_("must be true or false"),
    "not_list": N_("must be a list"),
    "not_object": N_("must be an object"),
    "below_minimum": N_("must be at least %(limit)s"),
    "above_maximum": N_("must be at most %(limit)s"),
    "text_empty": N_("must not be empty"),
    "text_too_short": N_("must have at least %(limit)s characters"),
    "text_too_long": N_("must have at most %(limit)s characters"),
    "text_has_controls": N_(
        "must not contain control characters, or characters that turn the direction of text"
    ),
    "pattern_mismatch": N_("has the wrong format"),
    "too_few_items": N_("must have at least %(limit)s entries"),
    "too_many_items": N_("must have at most %(limit)s entries"),
    "not_a_choice": N_("must be one of: %(choices)s"),
    "not_a_moment": N_("must be a date and time with a time zone, such as 2026-11-23T00:00:00Z"),
    "not_a_day": N_("must be a date, such as 2026-11-23"),
    "invalid": N_("is not valid"),
    "token_foreign": N_("does not belong to this list; request the list again without it"),
    "cursor_too_old": N_(
        "is too old: entries after it are erased; read from the oldest entry, without it"
    ),
    "not_own_tenant": N_("must be the ID of your own organization"),
    "not_in_future": N_("must be in the future"),
    "address_unknown": N_(
        "must be the complete email address or the object ID of one user in your directory"
    ),
    "same_mailbox": N_("must be another mailbox than the one to read and write"),
    "webhook_not_public": N_(
        "must be an https address with a host name on the public internet and without a port, "
        "such as https://hooks.contoso.example/contacts"
    ),
    "share_fixed": N_("cannot be changed; create a new import for another share"),
    "folder_needed": N_("is missing; enter the folder that contains the contacts to adopt"),
    "folder_not_expected": N_("must be empty; the import writes to the default contacts folder"),
    "target_missing": N_("Choose at least one user or group."),
    "source_missing": N_(
        "Choose at least one source: users, groups, all users, organizational contacts or manual "
        "contacts."
    ),
    "share_not_chosen": N_("Choose one of your shares, or enter a partner's share ID."),
    "share_id_invalid": N_(
        "is not a share ID. A share ID has 32 letters and digits; copy it from the partner."
    ),
    "tenant_id_invalid": N_("is not a tenant ID: %(id)s. Enter a GUID, not a domain."),
    "object_id_invalid": N_(
        "is not an object ID: %(id)s. Copy the object ID (a GUID) from the Entra admin center."
    ),
    "tenants_rule_mismatch": N_("must list tenants for the rule 'tenants', and for no other rule"),
    "filter_unknown": N_("cannot filter by %(names)s; choose from %(choices)s"),
    "field_unknown": N_("contains unknown fields: %(names)s; choose from %(choices)s"),
    # transient errors, and faults of our own
    "unavailable": N_("Microsoft 365 isn't responding right now. Try again in a minute."),
    "throttled": N_("Microsoft is throttling requests. Try again in a few minutes."),
    "busy": N_("A sync or another change is in progress. Try again in a minute."),
    "internal_error": N_(
        "An error occurred on our side and was recorded. Give the correlation ID to support."
    ),
}
"""The text of each code, with its values as `%(name)s`."""


def _written(value: Value) -> str:
    match value:
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,g}"
        case tuple():
            return ", ".join(value)
        case _:
            return value.isoformat()


@dataclass(frozen=True, slots=True)
class ErrorTexts:
    """The texts of errors in one language: `gettext` translates, `written` formats a value."""

    gettext: Callable[[str], str] = str
    written: Callable[[Value], str] = _written

    def title(self, kind: str) -> str:
        """Return the title of a kind of error."""
        return self.gettext(TITLES[kind])

    def remedy(self, reason: Reason) -> str:
        """Return what an admin can do about a reason."""
        return self.gettext(REMEDIES[reason])

    def text(self, code: Code | Reason, values: Mapping[str, Value] | None = None) -> str:
        """Return the text of a code, with its values filled in."""
        if isinstance(code, Reason):
            return self.remedy(code)
        written = {name: self.written(value) for name, value in (values or {}).items()}
        return self.gettext(TEXTS[code]) % written

    def field(self, error: FieldError) -> str:
        """Return what is wrong with a field."""
        return self.text(error.code, error.values)

    def of(self, error: Exception) -> str:
        """Return what happened and what to do next; details of our own faults are not shown."""
        match error:
            case CallerError():
                return self.text(error.code, error.values)
            case NeedsAdmin():
                return self.remedy(error.reason)
            case TransientError():
                return self.text(error.code)
            case _:
                return self.text("internal_error")


ENGLISH: Final = ErrorTexts()
"""The language of the API."""
