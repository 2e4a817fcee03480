package contract

import _ "embed" // the schema

//go:embed contract.schema.json
var schemaText []byte

// Schema is the JSON Schema (draft 2020-12) of contracts, for editors. What it
// refuses, Parse refuses; Parse knows more, such as which names must exist.
func Schema() []byte { return append([]byte(nil), schemaText...) }
