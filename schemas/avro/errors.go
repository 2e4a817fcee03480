package avro

import "errors"

// Errors of decoding and of registries. All but [ErrRegistry] and
// [ErrRegistryRefused] say that the record, not its surroundings, is at fault:
// asking again gives the same answer.
var (
	// ErrMagic says that the bytes do not begin with the Confluent header: a zero
	// byte and a big-endian schema id.
	ErrMagic = errors.New("not in the Confluent wire format")
	// ErrUnknownSchema says that the registry does not know the schema id.
	ErrUnknownSchema = errors.New("unknown schema id")
	// ErrSchema says that the writer's schema is not valid Avro, or that its data
	// cannot be read as the record wanted.
	ErrSchema = errors.New("unusable schema")
	// ErrTruncated says that the bytes end inside a value. A list that claims more
	// items than the remaining bytes can hold is ErrMalformed or ErrTooLarge.
	ErrTruncated = errors.New("record is truncated")
	// ErrTrailing says that bytes remain after the record.
	ErrTrailing = errors.New("bytes remain after the record")
	// ErrMalformed says that the bytes are not a value of the schema.
	ErrMalformed = errors.New("malformed record")
	// ErrTooLarge says that the record, or what it claims to hold, is over a bound.
	ErrTooLarge = errors.New("record over a bound")
	// ErrBareVersion says that a value kept in state was written under another
	// schema version: set the store aside and rebuild it.
	ErrBareVersion = errors.New("state value of another schema version")
	// ErrEncode says that the value cannot be expressed in the schema.
	ErrEncode = errors.New("cannot encode record")
	// ErrDecimal says that a value does not fit decimal(38,9).
	ErrDecimal = errors.New("value does not fit decimal(38,9)")

	// ErrRegistry says that the registry could not be asked: try again, within a bound.
	ErrRegistry = errors.New("schema registry unavailable")
	// ErrRegistryRefused says that the registry was reached and refused the
	// request for a reason that trying again does not mend, such as credentials.
	ErrRegistryRefused = errors.New("schema registry refused the request")
	// ErrIncompatible says that a schema breaks its subject's compatibility policy.
	ErrIncompatible = errors.New("schema breaks the compatibility policy of its subject")
	// ErrNotFound says that the subject, or the schema in it, is not registered.
	ErrNotFound = errors.New("not registered")
)
