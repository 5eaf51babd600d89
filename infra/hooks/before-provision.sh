#!/usr/bin/env bash
# Before azd provisions: check what would otherwise fail late, and store what Azure does not allow to change later.
#
# It tells everything that is missing at once. azd starts it in the repository's folder with the environment's values.
set -euo pipefail

if ! command -v az >/dev/null; then
    echo "Install az, the Azure CLI (https://aka.ms/azure-cli): it writes the session key into the vault." >&2
    exit 1
fi
if ! kind=$(az account show --query user.type --output tsv 2>/dev/null); then
    echo "Sign in with 'az login' too: 'azd auth login' does not sign in az, which writes the session key." >&2
    exit 1
fi
wrong=0
tell() {
    echo "$1" >&2
    wrong=1
}

# The vault lets in whoever azd deploys as, and az writes the key: both have to be the same account, in one tenant.
if [ -n "${AZURE_SUBSCRIPTION_ID:-}" ] && ! az account show --subscription "$AZURE_SUBSCRIPTION_ID" --output none 2>/dev/null; then
    tell "az does not see the subscription $AZURE_SUBSCRIPTION_ID that azd deploys to. Sign in with its account: az login --tenant <its tenant>"
elif [ -n "${AZURE_SUBSCRIPTION_ID:-}" ]; then
    tenant=$(az account show --query tenantId --output tsv)
    wanted=$(az account show --subscription "$AZURE_SUBSCRIPTION_ID" --query tenantId --output tsv)
    [ "$tenant" = "$wanted" ] \
        || tell "az gets its tokens from the tenant of another subscription. Choose this one: az account set --subscription $AZURE_SUBSCRIPTION_ID"
fi
if [ "$kind" = user ] && [ -n "${AZURE_PRINCIPAL_ID:-}" ] && mine=$(az ad signed-in-user show --query id --output tsv 2>/dev/null) \
    && [ -n "$mine" ] && [ "$mine" != "$AZURE_PRINCIPAL_ID" ]; then
    tell "azd and az are signed in as different accounts ($AZURE_PRINCIPAL_ID and $mine). Sign both in as one: azd auth login && az login"
fi

for name in ALERT_EMAIL PUBLISHER_EMAIL; do
    [ "$name" = PUBLISHER_EMAIL ] && [ "${API_MANAGEMENT_SKU:-}" = None ] && continue
    [ -n "${!name:-}" ] || tell "Set it first: azd env set $name someone@example.com"
done
if [ "${PRIVATE_NETWORK:-false}" = true ]; then
    echo "The vault and the app will have no public address. Unless this machine is in their network, the session key and" \
        "the package fail at the end: repeat 'azd hooks run postprovision' and 'azd deploy' on one that is." >&2
fi
[ "$wrong" = 0 ] || exit 1

# azd passes the id of who deploys to the template, but not the kind, which may have been another one before.
type=User
[ "$kind" != servicePrincipal ] || type=ServicePrincipal
[ "${AZURE_PRINCIPAL_TYPE:-User}" = "$type" ] || azd env set AZURE_PRINCIPAL_TYPE "$type"
# The month in which the budget begins cannot change later.
[ "${MONTHLY_BUDGET:-0}" = 0 ] || [ -n "${BUDGET_START:-}" ] || azd env set BUDGET_START "$(date -u +%Y-%m-01)"
