#!/usr/bin/env bash
# Write the secret `session-key`, which seals the portal's cookies, into the vault if it has none.
#
# usage: session-key.sh VAULT [renew]
#
# `renew` adds a new version: cookies that an older one sealed stay good while the app still reads it. Needs az, signed
# in as somebody with the role Key Vault Secrets Officer, and with a private network a machine inside of it. The key is
# 32 random bytes in URL-safe base64 (docs: cryptography, fernet); it is in no argument, log or output.
set -euo pipefail
vault=${1:?usage: session-key.sh VAULT [renew]}
name=session-key

# A role that was given a moment ago takes some minutes until it counts.
for try in 1 2 3 4 5 6 7 8 9 10; do
    if found=$(az keyvault secret list --vault-name "$vault" --query "[?name=='$name'] | length(@)" --output tsv); then
        break
    elif [ "$try" = 10 ]; then
        echo "The vault $vault cannot be read: sign in with 'az login' as a Key Vault Secrets Officer of it," \
            "or run this inside of the private network." >&2
        exit 1
    fi
    sleep 30
done
if [ "$found" != 0 ] && [ "${2:-}" != renew ]; then
    echo "The vault $vault has $name already."
    exit 0
fi
umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$file"
az keyvault secret set --vault-name "$vault" --name "$name" --file "$file" --encoding utf-8 \
    --content-type 'Fernet key of session cookies' --output none
echo "The vault $vault has a new $name."
