package plan

import _ "embed" // the schema

//go:embed plan.schema.json
var schemaText []byte

// Schema is the JSON Schema (draft 2020-12) of plans. Nothing that it refuses is
// written.
func Schema() []byte { return append([]byte(nil), schemaText...) }
