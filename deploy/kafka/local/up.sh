#!/usr/bin/env bash
# Runs one Apache Kafka node on this machine and prints its address.
#
#   up.sh [directory] [port]
#
# The directory keeps data, log and process id; without one it is
# .cache/kafka/broker in this repository. A directory that was used before is
# continued, on its port. Stop it with down.sh and the same directory. Needs
# Java 17 and, the first time, Maven.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(cd "$here/../../.." && pwd)/.cache/kafka
dir=${1:-$cache/broker}
mkdir -p "$dir/tmp" "$cache"
dir=$(cd "$dir" && pwd)

fail() { echo "up.sh: $*" >&2; exit 1; }

java_major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1) || true
[ "${java_major:-0}" -ge 17 ] || fail "java 17 or newer is needed, found ${java_major:-none}"

if [ -f "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
  fail "a broker already runs from $dir as process $(cat "$dir/pid"), at $(cat "$dir/bootstrap")"
fi

# The jars are named by the pom they came from, as the Go package does.
sum=$( (sha256sum "$here/pom.xml" 2>/dev/null || shasum -a 256 "$here/pom.xml") | cut -c1-12)
lib=$cache/lib-$sum
if [ ! -d "$lib" ]; then
  command -v mvn >/dev/null || fail "Maven is needed once, to fetch the Kafka jars"
  fetch=$(mktemp -d "$cache/fetch-XXXXXX")
  trap 'rm -rf "$fetch"' EXIT
  # What Maven prints is no address, and it prints colours even where it says nothing.
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fetch/lib" >&2
  [ -d "$lib" ] || mv "$fetch/lib" "$lib"
fi

# A port is free if nobody accepts a connection there.
is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
  local p=$1
  until is_free "$p"; do p=$((p + 1)); done
  echo "$p"
}

# Native libraries are unpacked into the directory, because the system's
# temporary one may be mounted noexec.
jvm=(java -Xms64m -XX:+UseSerialGC
  "-Djava.io.tmpdir=$dir/tmp" "-DZstdTempFolder=$dir/tmp" "-Dorg.xerial.snappy.tempdir=$dir/tmp"
  "-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$lib/*")

if [ ! -f "$dir/server.properties" ]; then
  broker=$(free_port "${2:-9092}")
  controller=$(free_port $((broker + 1)))
  {
    cat "$here/server.properties"
    cat <<EOF
node.id=1
listeners=PLAINTEXT://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
controller.quorum.bootstrap.servers=127.0.0.1:$controller
log.dirs=$dir/data
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
EOF
  } >"$dir/new.properties"
  id=$("${jvm[@]}" -Xmx128m kafka.tools.StorageTool random-uuid)
  "${jvm[@]}" -Xmx128m kafka.tools.StorageTool format --standalone -t "$id" -c "$dir/new.properties" >"$dir/format.log" 2>&1 ||
    fail "formatting failed: $(tail -5 "$dir/format.log")"
  echo "127.0.0.1:$broker" >"$dir/bootstrap"
  # Renamed last: settings in place mean that the storage is formatted.
  mv "$dir/new.properties" "$dir/server.properties"
fi

bootstrap=$(cat "$dir/bootstrap")
is_free "${bootstrap##*:}" || fail "port ${bootstrap##*:} of $dir is taken by another process"
# An earlier run's "started" must not be taken for this one's.
: >"$dir/broker.log"
# A simple command, so that $! is the broker's own process; nohup becomes it and
# lets it outlive the terminal.
nohup "${jvm[@]}" -Xmx512m kafka.Kafka "$dir/server.properties" >>"$dir/broker.log" 2>&1 </dev/null &
echo $! >"$dir/pid"

for _ in $(seq 1 1200); do
  kill -0 "$(cat "$dir/pid")" 2>/dev/null || fail "the broker ended: $(tail -5 "$dir/broker.log")"
  # The port opens before the node serves; this line is logged after.
  if ! is_free "${bootstrap##*:}" && grep -q "Kafka Server started" "$dir/broker.log"; then
    echo "$bootstrap"
    exit 0
  fi
  sleep 0.2
done
fail "the broker did not start within four minutes, see $dir/broker.log"
