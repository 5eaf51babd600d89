#!/usr/bin/env bash
# Before azd provisions: check what would otherwise fail late, and store what Azure does not allow to change later.
set -euo pipefail

if ! kind=$(az account show --query user.type --output tsv 2>/dev/null); then
    echo "Sign in with 'az login' too: 'azd auth login' does not sign in az, which writes the session key." >&2
    exit 1
fi
missing=
[ -n "${ALERT_EMAIL:-}" ] || missing="$missing ALERT_EMAIL"
[ -n "${PUBLISHER_EMAIL:-}" ] || [ "${API_MANAGEMENT_SKU:-}" = None ] || missing="$missing PUBLISHER_EMAIL"
for name in $missing; do
    echo "Set it first: azd env set $name someone@example.com" >&2
done
[ -z "$missing" ] || exit 1

# azd passes the id of who deploys to the template, but not the kind.
if [ -z "${AZURE_PRINCIPAL_TYPE:-}" ] && [ "$kind" = servicePrincipal ]; then
    azd env set AZURE_PRINCIPAL_TYPE ServicePrincipal
fi
# The month in which the budget begins cannot change later.
[ "${MONTHLY_BUDGET:-0}" = 0 ] || [ -n "${BUDGET_START:-}" ] || azd env set BUDGET_START "$(date -u +%Y-%m-01)"
