package normalize

import (
	"time"

	"tracksource/identity"
)

// visitor is who did something on a website or in an application.
type visitor struct {
	src               Source
	anonymous, person identity.Node
}

// readVisitor reads a user's id and that of the browser or device, the first of
// those given.
func readVisitor(src Source, user string, anonymous ...string) (v visitor, err error) {
	v.src = src
	if user != "" {
		if v.person, err = src.Pseudonyms.PersonNode(identity.Person, identity.SchemeUser, src.Reporter, user); err != nil {
			return v, problem(BadField, "user id: %v", err)
		}
	}
	for _, id := range anonymous {
		if id == "" {
			continue
		}
		if v.anonymous, err = src.Pseudonyms.PersonNode(identity.Anonymous, identity.SchemeAnonymous, src.Reporter, id); err != nil {
			return v, problem(BadField, "anonymous id: %v", err)
		}
		break
	}
	if v.lowest().IsZero() {
		return v, problem(MissingField, "neither an anonymous id nor a user id")
	}
	return v, nil
}

// lowest is the identity that an event is about.
func (v visitor) lowest() identity.Node {
	if v.anonymous.IsZero() {
		return v.person
	}
	return v.anonymous
}

func (v visitor) links(at time.Time) []identity.Link {
	if v.anonymous.IsZero() || v.person.IsZero() {
		return nil
	}
	return []identity.Link{{Parent: v.person, Evidence: identity.Login, At: at}}
}

// RefundPrefix begins the names of an order's fields that are refunds; the id of
// their event is behind it.
const RefundPrefix = "refund:"

// orderFields is what an event says of an order. A refund is an amount that
// goes back, never below zero; a purchase has all of it.
type orderFields struct {
	id       string
	amount   Value
	currency string
	refund   bool
}

// order makes obs an update of an order. The order is an identity of its own,
// under the user or else the browser: a refund mostly comes from a server, which
// knows no browser, and must meet its purchase. A refund is a field of its own by
// its event's id: however often it comes and in whatever order, the refunds of an
// order add up.
func (v visitor) order(obs Observation, f orderFields) ([]Observation, error) {
	if f.id == "" {
		return nil, problem(MissingField, "the id of the order")
	}
	node, err := identity.NewNode(identity.Order, v.src.Reporter, plainID(v.src, f.id))
	if err != nil {
		return nil, problem(BadField, "the id of the order: %v", err)
	}
	var more []Observation
	if len(obs.Links) > 0 {
		more = append(more, Observation{Node: obs.Node, Shape: obs.Shape, OccurredAt: obs.OccurredAt, Links: obs.Links})
	}
	buyer := v.person
	if buyer.IsZero() {
		buyer = v.anonymous
	}
	obs.Node, obs.Links = node, []identity.Link{{Parent: buyer, Evidence: identity.Record, At: obs.OccurredAt}}
	obs.Object = &Object{Type: "order", ID: node.ID, Order: obs.OccurredAt.UnixMicro(), ModifiedAt: obs.OccurredAt}
	if f.currency != "" {
		currency, err := currencyText(f.currency)
		if err != nil {
			return nil, err
		}
		obs.Object.set("currency", currency)
	}
	if f.amount.isNull() && !f.refund {
		return nil, problem(MissingField, "the amount of the order")
	}
	if f.refund {
		if f.amount.isNull() {
			// All of it goes back.
			obs.Object.Fields = nil
			obs.Object.Deleted = true
			return append([]Observation{obs}, more...), nil
		}
		amount, err := amountText(f.amount, f.currency)
		if err != nil {
			return nil, err
		}
		if amount[0] == '-' {
			return nil, problem(BadAmount, "a refund below zero")
		}
		obs.Object.set(RefundPrefix+eventID(v.src, obs.EventID), amount)
		return append([]Observation{obs}, more...), nil
	}
	amount, err := amountText(f.amount, f.currency)
	if err != nil {
		return nil, err
	}
	obs.Object.set("amount", amount)
	obs.Object.set("created_at", obs.OccurredAt.Format(time.RFC3339Nano))
	return append([]Observation{obs}, more...), nil
}
