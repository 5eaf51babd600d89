#!/usr/bin/env bash
# Before azd provisions: note the month in which a budget begins, which Azure refuses to change later.
set -euo pipefail
[ "${MONTHLY_BUDGET:-0}" = 0 ] || [ -n "${BUDGET_START:-}" ] || azd env set BUDGET_START "$(date -u +%Y-%m-01)"
