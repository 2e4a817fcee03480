"""Holds plans against their schema, as a validator of other people does.

validate.py SCHEMA reads one plan a line from its input and prints a line for each:
"valid" or "invalid" by the schema, and "sealed" or "edited" by the seal.
"""

import hashlib
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(
    schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
for line in sys.stdin:
    plan = json.loads(line)
    valid = validator.is_valid(plan)
    seal = plan.pop("seal", None)
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sealed = seal == hashlib.sha256(text.encode()).hexdigest()
    print("valid" if valid else "invalid", "sealed" if sealed else "edited")
