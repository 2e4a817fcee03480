package answer

// later is what another goroutine works out meanwhile.
type later[T any] struct {
	done chan struct{} // closed when the others are written
	v    T
	err  error
	no   any // what it panicked with
}

// start begins work. Whoever starts it waits for it.
func start[T any](work func() (T, error)) *later[T] {
	l := &later[T]{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		defer func() { l.no = recover() }()
		l.v, l.err = work()
	}()
	return l
}

// wait returns what was worked out when it is there. Work that panicked does so here, where
// whoever asked for it sees to it.
func (l *later[T]) wait() (T, error) {
	<-l.done
	if l.no != nil {
		panic(l.no)
	}
	return l.v, l.err
}
