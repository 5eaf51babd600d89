#!/usr/bin/env bash
# Write the secret `session-key`, which seals the portal's cookies, into the vault if it has none.
#
# usage: session-key.sh VAULT [renew]
#
# `renew` adds a new version. Cookies sealed with an older version stay valid while the app still reads that version.
# Requires az, signed in with the role Key Vault Secrets Officer, and a machine inside the private network if there is
# one. The key is 32 random bytes in URL-safe base64 (docs: cryptography, fernet). It never appears in arguments, logs or
# output.
set -euo pipefail
vault=${1:?usage: session-key.sh VAULT [renew]}
name=session-key

if ! az account show --output none 2>/dev/null; then
    echo "Sign in with 'az login' first." >&2
    exit 1
fi
# A new role assignment takes some minutes to apply, and so may the name of a new vault. Nothing else gets better by waiting.
for try in 1 2 3 4 5 6 7 8 9 10; do
    if found=$(az keyvault secret list --vault-name "$vault" --query "[?name=='$name'] | length(@)" --output tsv --only-show-errors 2>&1); then
        break
    fi
    case "$found" in
        *ForbiddenByConnection* | *ForbiddenByFirewall* | *"ublic network access is disabled"*)
            echo "The vault $vault is in a private network. Run this on a machine in that network:" \
                "infra/hooks/session-key.sh $vault" >&2
            exit 1 ;;
        *ForbiddenByRbac* | *Forbidden*) ;;
        *"Could not resolve"* | *"Failed to resolve"* | *"Name or service not known"* | *getaddrinfo*) ;;
        *) printf '%s\n' "$found" >&2; exit 1 ;;
    esac
    if [ "$try" = 10 ]; then
        printf '%s\n' "$found" >&2
        echo "Cannot read the vault $vault: whoever is signed in with az needs its role Key Vault Secrets Officer. The" \
            "deployment gives it to the account that deploys: is az signed in as another one than azd?" >&2
        exit 1
    fi
    sleep "${SESSION_KEY_WAIT:-30}"
done
if [ "$found" != 0 ] && [ "${2:-}" != renew ]; then
    echo "The vault $vault already has $name."
    exit 0
fi
umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$file"
az keyvault secret set --vault-name "$vault" --name "$name" --file "$file" --encoding utf-8 \
    --content-type 'Fernet key of session cookies' --output none
echo "Wrote a new $name to the vault $vault."
