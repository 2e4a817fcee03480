#!/usr/bin/env bash
# Stops the broker that up.sh runs from a directory (the same default), and
# kills it if it does not end within fifteen seconds. The data stays.
#
#   down.sh [directory]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-$(cd "$here/../../.." && pwd)/.cache/kafka/broker}
if [ ! -f "$dir/pid" ]; then
  echo "down.sh: no broker runs from $dir" >&2
  exit 0
fi
pid=$(cat "$dir/pid")
# A number may have gone to another process since: only a JVM of this
# directory is ended.
if ! ps -o args= -p "$pid" 2>/dev/null | grep -qF "$dir/server.properties"; then
  rm -f "$dir/pid"
  echo "down.sh: the broker of $dir had already ended" >&2
  exit 0
fi
kill "$pid"
for _ in $(seq 1 75); do
  if ! kill -0 "$pid" 2>/dev/null; then
    rm -f "$dir/pid"
    exit 0
  fi
  sleep 0.2
done
kill -9 "$pid"
rm -f "$dir/pid"
