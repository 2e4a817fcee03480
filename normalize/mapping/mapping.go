// Package mapping compiles what a partner says of its own schema, and applies it
// to events.
package mapping

import _ "cel.dev/cel-go/cel"
