#!/usr/bin/env bash
# Creates the database of a cluster that has none, and waits until it is available.
# If there already is a database, the cluster refuses "configure new", which is harmless.
set -u
for attempt in $(seq 60); do
  if fdbcli --exec 'status minimal' --timeout 2 | grep -q 'is available'; then
    echo "The database is available."
    exit 0
  fi
  fdbcli --exec 'configure new single ssd' --timeout 5
  sleep 1
done
echo "The database is still not available after $attempt attempts." >&2
exit 1
