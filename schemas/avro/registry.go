package avro

import "context"

// Compatibility is the policy a subject holds new versions of its schema to.
// The values are those of the Confluent REST API.
type Compatibility string

const (
	// None admits every schema.
	None Compatibility = "NONE"
	// Backward asks that the new schema reads the data of the last one.
	Backward Compatibility = "BACKWARD"
	// BackwardTransitive asks that the new schema reads the data of all before it.
	// It is the policy of outputs: their readers move to the new schema when they like.
	BackwardTransitive Compatibility = "BACKWARD_TRANSITIVE"
	// Forward asks that the last schema reads the data of the new one.
	Forward Compatibility = "FORWARD"
	// ForwardTransitive asks that all schemas before the new one read its data.
	ForwardTransitive Compatibility = "FORWARD_TRANSITIVE"
	// Full is Backward and Forward.
	Full Compatibility = "FULL"
	// FullTransitive is BackwardTransitive and ForwardTransitive. It is the policy
	// of what partners write and of what our services hand to each other: they
	// restart in any order, so that an old one reads what a new one wrote.
	FullTransitive Compatibility = "FULL_TRANSITIVE"
)

// Registry knows schemas by id and by subject. It is safe for concurrent use.
//
// When it could not be asked, the error is [ErrRegistry]; when it refused for a
// lasting reason, such as credentials, [ErrRegistryRefused].
type Registry interface {
	// Schema gives the text of a schema by id, or [ErrUnknownSchema].
	Schema(ctx context.Context, id int) (text string, err error)
	// Lookup gives the id under which exactly this schema is registered in the
	// subject, or [ErrNotFound].
	Lookup(ctx context.Context, subject, text string) (id int, err error)
	// Register gives the id of the schema in the subject, adding it as a new
	// version when it is not there. When it returns, the id is durable for as long
	// as the registry is. A schema that breaks the policy is [ErrIncompatible].
	Register(ctx context.Context, subject, text string) (id int, err error)
	// SetCompatibility sets the policy of a subject, which need not exist yet.
	SetCompatibility(ctx context.Context, subject string, level Compatibility) error
}
