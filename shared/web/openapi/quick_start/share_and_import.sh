#!/usr/bin/env bash
# Publish a share, import it, and follow the run to its end, with curl and jq.
set -euo pipefail

answer=$(mktemp) headers=$(mktemp)
trap 'rm -f "$answer" "$headers"' EXIT
TOKEN=$(curl --silent --fail-with-body "$TOKEN_ADDRESS" --data grant_type=client_credentials \
  --data-urlencode "scope=$SCOPE" --data-urlencode "client_id=$CLIENT_ID" \
  --data-urlencode "client_secret=$CLIENT_SECRET" | jq -r .access_token)

call() { # METHOD PATH [BODY [HEADER]]: sets `status`; the answer is in "$answer"
  while true; do
    status=$(curl --silent --output "$answer" --dump-header "$headers" --write-out '%{http_code}' \
      --request "$1" "$API$2" --header "Authorization: Bearer $TOKEN" \
      --header 'Content-Type: application/json' ${3:+--data "$3"} ${4:+--header "$4"})
    # After too many calls, call again when Retry-After says.
    [[ $status == 429 && $(jq -r .type "$answer") == *:too-many-requests ]] || return 0
    sleep "$(sed -n 's/^retry-after: *\([0-9]*\).*/\1/Ip' "$headers")"
  done
}
need() { # the same; an answer other than 2xx ends the program with the problem's words
  call "$@"
  [[ $status == 2* ]] || { jq -r '"\(.code): \(.detail)"' "$answer" >&2 && exit 1; }
}

need POST /shares "{\"name\": \"Everyone\", \"sources\": {\"groups\": [{\"id\": \"$GROUP\"}]}}" \
  'Idempotency-Key: quick start: share'
share=$(jq -r .id "$answer")
need POST /imports "{\"name\": \"Colleagues\", \"shareId\": \"$share\", \"targets\": {\"users\": [\"$MAILBOX\"]}}" \
  'Idempotency-Key: quick start: import'
import=$(jq -r .id "$answer") etag=$(jq -r .etag "$answer") run=$(jq -r .firstRun "$answer")
while need GET "/runs/$run" && state=$(jq -r .status "$answer") && [[ $state == queued || $state == running ]]; do
  sleep "${WAIT:-10}"
done
next=
while true; do
  need GET "/runs/$run/results?top=1$next"
  jq -r '.items[] | "\(.mailbox) \(.outcome) \(.contacts.created)"' "$answer"
  next=$(jq -r '.next // empty | "&next=" + @uri' "$answer")
  [[ -n $next ]] || break
done
echo "$state"

call POST "/runs/$run/retry"
[[ $status != 409 ]] || jq -r .code "$answer" # the state does not allow it: here, because nothing failed

while call PATCH "/imports/$import" '{"name": "Team"}' "If-Match: $etag" && [[ $status == 412 ]]; do
  need GET "/imports/$import" # somebody changed it: read it again
  etag=$(jq -r .etag "$answer")
done
jq -r .name "$answer"
