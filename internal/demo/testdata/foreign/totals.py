"""Sums a topic of contributions as any reader may that knows Kafka and Avro.

usage: totals.py brokers registry topic

It knows nothing of Track Source but what docs and schemas say: rows are upserts
under their key, the last record of a key counts, is_deleted or no value means
that it is gone. Printed is a JSON object of exact decimal text, by
"contract/measure/model/partner", the number of rows as "rows", and under "certain"
what of the revenue of all is certain.
"""

import decimal
import io
import json
import struct
import sys
import urllib.request

import fastavro
from confluent_kafka import Consumer, KafkaError, TopicPartition

decimal.getcontext().prec = 60  # sums are exact


class Registry:
    """Schemas by their id, each asked for once."""

    def __init__(self, url):
        self.url, self.known = url, {}

    def decode(self, message):
        magic, schema_id = struct.unpack(">bI", message[:5])
        if magic != 0:
            raise ValueError(f"magic byte {magic}")
        if schema_id not in self.known:
            with urllib.request.urlopen(f"{self.url}/schemas/ids/{schema_id}") as answer:
                self.known[schema_id] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        body = io.BytesIO(message[5:])
        record = fastavro.schemaless_reader(body, self.known[schema_id])
        if body.read():
            raise ValueError("bytes behind a record")
        return record

    def current(self, subject):
        """The newest schema of a subject, as TopicNameStrategy names it."""
        with urllib.request.urlopen(f"{self.url}/subjects/{subject}/versions/latest") as answer:
            return json.load(answer)["id"]


def read(brokers, registry, topic):
    """The rows that stand, by their decoded key."""
    consumer = Consumer({
        "bootstrap.servers": brokers,
        "group.id": "foreign-totals",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    })
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    rows, left = {}, set(partitions)
    while left:
        message = consumer.poll(30)
        if message is None:
            raise TimeoutError(f"no end of {topic} partitions {sorted(left)}")
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(message.error())
            left.discard(message.partition())
            continue
        key = tuple(sorted(registry.decode(message.key()).items()))
        row = registry.decode(message.value()) if message.value() else None
        if row is None or row["is_deleted"]:
            rows.pop(key, None)
            continue
        if any(row[name] != value for name, value in key):
            raise ValueError(f"row {row} under {key}")
        if key in rows and row["version"] <= rows[key]["version"]:
            raise ValueError(f"version {row['version']} after {rows[key]['version']} of {key}")
        rows[key] = row
    consumer.close()
    return list(rows.values())


def main(brokers, url, topic):
    registry = Registry(url)
    for suffix in ("key", "value"):
        registry.current(f"{topic}-{suffix}")
    totals, certain, rows = {}, decimal.Decimal(0), read(brokers, registry, topic)
    for row in rows:
        if row["escrow"] not in ("(none)", "disputed") or row["booked"] < row["day"]:
            raise ValueError(f"row {row} is in an escrow, or booked on a day, that there is not")
        if row["measure"] == "revenue":
            certain += row["confident_value"]
        name = "/".join(row[part] for part in ("contract", "measure", "model", "partner"))
        totals[name] = totals.get(name, decimal.Decimal(0)) + row["value"]
    json.dump({"rows": len(rows), "certain": f"{certain:f}", "totals": {name: f"{value:f}" for name, value in totals.items()}}, sys.stdout)


main(*sys.argv[1:])
