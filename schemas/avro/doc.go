// Package avro holds the records that cross Kafka and the state stores: their
// schemas (*.avsc, embedded), their Go structs, typed codecs in the Confluent
// wire format, the schema registry, and the reader of schemas that are not ours.
//
// It knows Avro and registries. It must not know what the records mean: no
// rule of marketing, no Kafka client, no store.
//
// Records of our own go through [Codec], which encodes and decodes structs with
// no intermediate maps. Records of partners go through [Foreign], which gives
// plain JSON-like values for any schema that a registry knows.
//
// Decoders are strict and total: any bytes give a value or an error of this
// package, within bounds that do not depend on what the bytes claim.
package avro
