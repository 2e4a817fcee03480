package report

// Viewer is who asks: the operator, or a partner.
type Viewer struct {
	Operator bool
	Partner  string // empty for the operator
}
