#!/usr/bin/env bash
# Ends the broker that up.sh runs from a directory (the same default). The data
# stays. It is killed: a lone broker that shuts down in order calls transactions
# committed whose markers it never writes, and their readers wait for ever. A
# log that ends with kill -9 is recovered by the next start.
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
args=$(ps -ww -o args= -p "$pid" 2>/dev/null) || true
if [[ $args != *"$dir/server.properties"* ]]; then
  rm -f "$dir/pid"
  echo "down.sh: the broker of $dir had already ended" >&2
  exit 0
fi
kill -9 "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
rm -f "$dir/pid"
