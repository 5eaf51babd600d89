#!/usr/bin/env bash
# Before azd provisions: store the month in which the budget begins. Azure does not allow changing it later.
set -euo pipefail
[ "${MONTHLY_BUDGET:-0}" = 0 ] || [ -n "${BUDGET_START:-}" ] || azd env set BUDGET_START "$(date -u +%Y-%m-01)"
