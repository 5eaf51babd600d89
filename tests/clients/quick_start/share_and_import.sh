#!/usr/bin/env bash
# Publish a share, import it, and follow the run to its end, with curl and jq.
set -euo pipefail

call() { # METHOD PATH [BODY]: an answer other than 2xx ends the program with the problem's words
  local status
  status=$(curl --silent --output "$answer" --write-out '%{http_code}' --request "$1" "$API$2" \
    --header "Authorization: Bearer $TOKEN" --header 'Content-Type: application/json' \
    ${3:+--data "$3"})
  case $status in
    2*) cat "$answer" ;;
    *) jq -r '"\(.code): \(.detail)"' "$answer" >&2 && return 1 ;;
  esac
}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

share=$(call POST /shares "{\"name\": \"Everyone\", \"sources\": {\"groups\": [{\"id\": \"$GROUP\"}]}}" | jq -r .id)
run=$(call POST /imports "{\"name\": \"Colleagues\", \"shareId\": \"$share\", \"targets\": {\"users\": [\"$MAILBOX\"]}}" | jq -r .firstRun)
while status=$(call GET "/runs/$run" | jq -r .status) && [[ $status == queued || $status == running ]]; do
  sleep "${WAIT:-10}"
done
next=
while true; do
  page=$(call GET "/runs/$run/results?top=1$next")
  jq -r '.items[] | "\(.mailbox) \(.outcome) \(.contacts.created)"' <<<"$page"
  next=$(jq -r '.next // empty | "&next=" + @uri' <<<"$page")
  [[ -n $next ]] || break
done
echo "$status"
