// Package past reads what was known at an earlier moment from the topics that answers are
// made of, so that a reporting package can be made again: whatever lies in front of
// positions, into a follow.Follow in a directory of its own.
//
// It knows what Kafka still has of a moment, and how long pasts are kept. It must not know
// what is asked of one.
package past

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// Config says where pasts are read from and kept. All fields but Patience are required.
type Config struct {
	Kafka  kafka.Conn
	Spec   kafka.Spec
	Codecs *avro.Codecs
	Log    *slog.Logger
	Clock  func() time.Time
	// Dir is a directory of the pasts alone, below one that this process has locked.
	Dir string
	// Patience is how long who asks waits for a past that is being read; 0 is
	// PatienceDefault.
	Patience time.Duration
}

// PatienceDefault is less than what clients and proxies give an answer, and than what
// others wait for their turn at a package: who asks is told how far the reading is and
// asks again, instead of being cut off and of holding everybody up.
const PatienceDefault = 10 * time.Second

const (
	// keptMax bounds the pasts on disk: who compares two months asks of two in turn.
	keptMax = 2
	// buildMax bounds the reading of one past: hundreds of millions of records.
	buildMax = 30 * time.Minute
	// closeMax bounds how long Close waits for those who still read a past. Their
	// requests have been ended by then.
	closeMax = 15 * time.Second

	// memoryMax is for the stores of one past. They are written once and read in order,
	// so that the least that they work with is enough.
	memoryMax = 160 << 20
	storesMax = 5 // without feeds, which a past has not
	// diskReserve is what a past leaves free of the disk: twice what makes the reporter
	// itself stop, so that a past fails first.
	diskReserve = 512 << 20
	// cubeBytes and dealBytes bound what a past keeps in memory while it is asked: as
	// much as of the present, because a package asks of the same rows many times.
	cubeBytes = follow.CubeBytesDefault
	dealBytes = follow.DealBytesDefault
)

// Busy says that a past cannot be had yet. Who asks again finds it further on.
type Busy struct {
	// Records is how many are read of the past that is being read, AtMost how many there
	// are in front of its positions; both are 0 where none is, or nothing is known yet.
	Records, AtMost int64

	detail string
	cause  error // of the context that ended; nil where patience did
}

// Error says what is under way.
func (b *Busy) Error() string {
	far := ""
	if b.AtMost > 0 {
		far = fmt.Sprintf(" (%d of at most %d records)", b.Records, b.AtMost)
	}
	return b.detail + far + ": ask again in a while"
}

// Unwrap returns the error of the context that ended.
func (b *Busy) Unwrap() error { return b.cause }

// errClosed says that the process is ending.
var errClosed = errors.New("the reporter is being stopped")

// Pasts hands out pasts, and keeps those that were asked for last. It is safe for
// concurrent use.
type Pasts struct {
	cfg      Config
	building chan struct{} // holds a token while one is built
	closing  chan struct{} // closed by Close

	mu       sync.Mutex
	kept     []*kept       // guarded by mu; the one that was asked for last is last
	made     int           // guarded by mu; numbers directories
	closed   bool          // guarded by mu
	released chan struct{} // guarded by mu; closed and replaced when a past is released
	reading  *progress     // guarded by mu; of the past that is being built, nil without one
	failed   failure       // guarded by mu; the last one that nobody was told of
}

// failure is why a past could not be built.
type failure struct {
	name string // of its positions; empty: there is no failure
	err  error
}

// kept is one past on disk.
type kept struct {
	name   string // its positions
	follow *follow.Follow
	dir    *state.Dir
	users  int // guarded by Pasts.mu
}

// New makes Pasts, and removes what an earlier life left of its own.
func New(cfg Config) (*Pasts, error) {
	if cfg.Codecs == nil || cfg.Log == nil || cfg.Clock == nil || cfg.Dir == "" {
		return nil, errors.New("past: Config needs Kafka, Spec, Codecs, Log, Clock and Dir")
	}
	if err := os.RemoveAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("remove pasts of an earlier life: %w", err)
	}
	if cfg.Patience == 0 {
		cfg.Patience = PatienceDefault
	}
	return &Pasts{cfg: cfg, building: make(chan struct{}, 1), closing: make(chan struct{}), released: make(chan struct{})}, nil
}

// Read calls fn with what was known at positions, which were the present at a time (zero:
// nobody knows when), and how the line stood then; neither is used once fn has returned.
// They are read from Kafka where they are not kept, one past at a time; where that takes
// longer than patience lasts it goes on, and who asked gets a *Busy. Positions that cannot
// be read any more are an *answer.Error that says how far back one can go.
func (p *Pasts) Read(ctx context.Context, positions follow.Positions, at time.Time, fn func(f *follow.Follow, line answer.Line) error) error {
	name := positions.String()
	k, err := p.take(name)
	if err == nil && k == nil {
		k, err = p.make(ctx, name, at, positions)
	}
	if err != nil {
		return err
	}
	defer p.release(k)
	return fn(k.follow, p.lineAt(at))
}

// take returns the past of a name and counts its caller, nil where it is not kept.
func (p *Pasts) take(name string) (*kept, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	i := slices.IndexFunc(p.kept, func(k *kept) bool { return k.name == name })
	if i < 0 {
		return nil, nil
	}
	k := p.kept[i]
	p.kept = append(slices.Delete(p.kept, i, i+1), k)
	k.users++
	return k, nil
}

func (p *Pasts) release(k *kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.users--; k.users == 0 {
		k.follow.Forget() // its room is for others; the stores answer again
	}
	close(p.released)
	p.released = make(chan struct{})
}

// make builds a past once it is its caller's turn, unless somebody else has by then. The
// reading goes on where its caller gives up: who asks again finds it further on, or done.
func (p *Pasts) make(ctx context.Context, name string, at time.Time, positions follow.Positions) (*kept, error) {
	patience := time.NewTimer(p.cfg.Patience)
	defer patience.Stop()
	for {
		const another = "what was known at another time is being read"
		select {
		case p.building <- struct{}{}:
		case <-p.closing:
			return nil, errClosed
		case <-patience.C:
			return nil, p.busy(another, nil)
		case <-ctx.Done():
			return nil, p.busy(another, ctx.Err())
		}
		built := make(chan struct{})
		k, dir, err := p.prepare(ctx, name, positions)
		if k != nil || err != nil {
			<-p.building
			return k, err
		}
		go func() { // Close waits for it by its token
			defer func() { <-p.building }()
			defer close(built)
			p.build(name, dir, at, positions)
		}()
		asked := fmt.Sprintf("what was known at %s is being read", moment(at))
		select {
		case <-built:
			if err := p.failure(name); err != nil {
				return nil, err
			}
		case <-patience.C:
			return nil, p.busy(asked, nil)
		case <-ctx.Done():
			return nil, p.busy(asked, ctx.Err())
		}
		if k, err := p.take(name); k != nil || err != nil {
			return k, err
		} // else others have needed the room already
	}
}

// busy says that something is under way, and how far the past is that is being read.
func (p *Pasts) busy(detail string, cause error) *Busy {
	p.mu.Lock()
	reading := p.reading
	p.mu.Unlock()
	b := &Busy{detail: detail, cause: cause}
	if reading != nil {
		b.Records, b.AtMost = reading.soFar()
	}
	return b
}

// prepare returns the past if it has been built meanwhile, else where to build it.
func (p *Pasts) prepare(ctx context.Context, name string, positions follow.Positions) (k *kept, dir string, err error) {
	if k, err := p.take(name); k != nil || err != nil {
		return k, "", err
	}
	if err := p.failure(name); err != nil {
		return nil, "", err // of a reading whose asker has given up
	}
	if err := p.check(ctx, positions); err != nil {
		return nil, "", err
	}
	dir, err = p.room(ctx)
	return nil, dir, err
}

// failure is why a past could not be built, told once: who asks again begins anew.
func (p *Pasts) failure(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed.name != name {
		return nil
	}
	err := p.failed.err
	p.failed = failure{}
	return err
}

// build builds a past and keeps it, or why it cannot.
func (p *Pasts) build(name, path string, at time.Time, positions follow.Positions) {
	ctx, cancel := context.WithTimeout(context.Background(), buildMax)
	defer cancel()
	defer p.ending(cancel)()
	k, err := p.fill(ctx, path, at, positions)
	if err != nil {
		err = errors.Join(err, os.RemoveAll(path))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed = failure{name, err}
		return
	}
	if p.failed.name == name {
		p.failed = failure{}
	}
	k.name = name
	p.kept = append(p.kept, k)
}

// ending calls cancel when Close is called, until the function that it returns is.
func (p *Pasts) ending(cancel func()) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-p.closing:
			cancel()
		case <-done:
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// room makes room for one more past, and returns its directory.
func (p *Pasts) room(ctx context.Context) (string, error) {
	for {
		p.mu.Lock()
		if len(p.kept) < keptMax {
			p.made++
			dir := filepath.Join(p.cfg.Dir, strconv.Itoa(p.made))
			p.mu.Unlock()
			return dir, nil
		}
		idle := slices.IndexFunc(p.kept, func(k *kept) bool { return k.users == 0 })
		released := p.released
		var k *kept
		if idle >= 0 {
			k = p.kept[idle]
			p.kept = slices.Delete(p.kept, idle, idle+1)
		}
		p.mu.Unlock()
		if k != nil {
			if err := k.remove(); err != nil {
				return "", err
			}
			continue
		}
		select {
		case <-released:
		case <-p.closing:
			return "", errClosed
		case <-ctx.Done():
			return "", p.busy(fmt.Sprintf("%d other moments are being asked about", keptMax), ctx.Err())
		}
	}
}

func (k *kept) remove() error {
	if err := errors.Join(k.dir.Close(), os.RemoveAll(k.dir.Path())); err != nil {
		return fmt.Errorf("remove a past: %w", err)
	}
	return nil
}

// Run closes the pasts when ctx ends.
func (p *Pasts) Run(ctx context.Context) error {
	<-ctx.Done()
	return p.Close()
}

// Close removes all pasts once nobody asks of them any more. Who opens one is refused
// from then on. What is still asked of after a while is left to the next life to remove.
func (p *Pasts) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.closing)
	p.mu.Unlock()
	p.building <- struct{}{} // whoever builds has been told to end
	limit := time.NewTimer(closeMax)
	defer limit.Stop()
	for {
		p.mu.Lock()
		used := slices.ContainsFunc(p.kept, func(k *kept) bool { return k.users > 0 })
		released := p.released
		p.mu.Unlock()
		if !used {
			break
		}
		select {
		case <-released:
		case <-limit.C:
			return errors.New("a past is still asked of while the reporter stops")
		}
	}
	var errs []error
	for _, k := range p.kept {
		errs = append(errs, k.remove())
	}
	return errors.Join(append(errs, os.RemoveAll(p.cfg.Dir))...)
}
