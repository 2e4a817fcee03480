// Package api is the reporter's door for people and their tools: HTTP, access,
// limits, and the document that describes it all.
//
// It knows requests, tokens and how an answer travels. It must not know how an
// answer is found, nor who may see what in it: it says who asks, and
// internal/answer decides. One table, in routes.go, is all that can be asked;
// the handlers, the strict reading of parameters and the OpenAPI document come
// from it.
package api
