#!/bin/bash
# Whether systemd takes the units and finds them well locked up: an exposure below 2.5.
set -u
if ! command -v systemd-analyze >/dev/null; then
  echo "SKIPPED: no systemd-analyze here"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
for unit in "$@"; do
  # The programs are not installed where the tests run.
  sed 's#/usr/bin/syncline-[a-z]*#/bin/true#' "$unit" >"$folder/$(basename "$unit")"
done
for unit in "$folder"/*.service; do
  instance=${unit/@.service/@0.service}
  complaints=$(systemd-analyze verify --man=no "$instance" 2>&1 | grep "$(basename "$unit" .service)")
  exposure=$(systemd-analyze security --offline=true --no-pager "$unit" 2>/dev/null |
    sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
  echo "$(basename "$unit"): exposure ${exposure:-unknown}"
  if [ -n "$complaints" ]; then
    echo "$complaints"
    failed=1
  fi
  awk -v e="${exposure:-10}" 'BEGIN { exit !(e < 2.5) }' || failed=1
done
exit $failed
