package arch_test

import "regexp"

const module = "tracksource"

// mayImport is the table of walls: for each package that imports packages of
// this module, those that it may import. A package that is not here may import
// none. Tests are exempt, and so are commands, which nothing may import.
//
// A new row is a decision: it belongs in ARCHITECTURE.md as well.
var mayImport = map[string][]string{
	// Pure: rules and arithmetic. They import only each other, see pure.
	"contract":          {"attribution/model", "identity", "money"},
	"identity":          {},
	"normalize":         {"contract", "identity", "money"},
	"normalize/mapping": {"identity", "money", "normalize"},
	"attribution":       {"attribution/model", "contract", "identity", "money"},
	"attribution/model": {"money"},
	"attribution/twin":  {"attribution/model", "money"},
	"money":             {},
	"report":            {"attribution", "attribution/model", "contract", "identity", "money"},
	"report/render":     {"attribution", "contract", "money", "report"},
	"report/plan":       {"report"},

	// Layers over one library each. They know nothing of marketing, and nothing
	// of each other: internal/task and internal/line bring them together.
	"dedupe":             {},
	"state":              {},
	"stream":             {},
	"internal/daemon":    {},
	"schemas/avro":       {"money"},
	"deploy/kafka":       {},
	"deploy/kafka/local": {"deploy/kafka"},

	// What the tiers run on.
	"internal/task": {"state", "stream"},
	"internal/line": {"deploy/kafka", "internal/daemon", "internal/task", "schemas/avro", "state", "stream"},

	// The tiers. None imports another: they meet in topics only.
	"internal/ingest": {
		"contract", "dedupe", "deploy/kafka", "identity", "internal/control", "internal/governance", "internal/line", "internal/task",
		"money", "normalize", "normalize/mapping", "schemas/avro", "state", "stream",
	},
	"internal/attributor": {
		"attribution", "contract", "deploy/kafka", "identity", "internal/line", "internal/task",
		"money", "schemas/avro", "state", "stream",
	},
	"internal/reporter": {
		"attribution", "contract", "deploy/kafka", "internal/control", "internal/line", "internal/task",
		"money", "report", "schemas/avro", "state", "stream",
	},

	// The reporter's door: who is let in, and how questions and answers travel.
	"internal/api": {"internal/answer", "internal/control", "internal/dashboard", "internal/evaluate", "internal/follow", "internal/line", "internal/past", "report", "schemas/avro", "stream"},

	// Alerts to whoever an operator wants them to reach.
	"internal/webhook": {"internal/daemon", "internal/line", "schemas/avro", "stream"},

	// Native events of made-up partners, and the judge that recomputes a whole
	// run from them. The judge does not import the tiers that it judges.
	"internal/sample":     {"contract", "contract/example", "identity", "money", "normalize", "schemas/avro"},
	"internal/deadletter": {"deploy/kafka", "identity", "internal/control", "internal/ingest", "internal/line", "schemas/avro", "stream"},
	"internal/control":    {"attribution", "contract", "deploy/kafka", "identity", "internal/governance", "internal/line", "money", "normalize/mapping", "schemas/avro", "state", "stream"},
	"internal/governance": {"contract", "money", "schemas/avro"},
	"internal/feedfile":   {},
	"internal/follow":     {"attribution", "contract", "deploy/kafka", "internal/control", "internal/line", "internal/task", "money", "report", "schemas/avro", "state", "stream"},
	"internal/answer":     {"attribution", "attribution/model", "contract", "deploy/kafka", "identity", "internal/control", "internal/follow", "internal/governance", "internal/line", "money", "report", "schemas/avro", "state", "stream"},
	"internal/past":       {"deploy/kafka", "internal/answer", "internal/follow", "internal/line", "schemas/avro", "state", "stream"},
	"internal/evaluate":   {"contract", "internal/answer", "internal/control", "internal/governance", "money", "report", "schemas/avro"},
	"internal/gaps":       {"contract", "identity", "money", "schemas/avro"},
	"internal/check": {
		"attribution", "attribution/model", "contract", "deploy/kafka", "identity", "internal/line", "internal/sample",
		"money", "normalize", "report", "schemas/avro", "state", "stream",
	},

	// Plans of packages, as files.
	"internal/plans": {"report", "report/plan"},

	// Helps of tests.
	"internal/foreign":  {},
	"internal/ghost":    {},
	"internal/parallel": {},
	"internal/victim":   {},

	// The page: files, and what a browser makes of them.
	"internal/dashboard": {},

	// The whole in one process.
	"internal/demo": {anything},
	"internal/sim":  {anything},
}

// anything in a row lifts the wall for it, but for commands.
const anything = "..."

// pure lists the packages, with those below them, that have no input but their
// arguments and no effect but their results. What they import of other people's
// must be theirs alone in owners, or of the standard library and not in impure.
var pure = []string{"contract", "normalize", "identity", "attribution", "money", "report"}

// impure lists standard packages, with those below them, that read or change
// the world outside, or draw lots.
var impure = []string{
	"bufio", "crypto/rand", "crypto/tls", "database/sql", "expvar", "io/ioutil", "log", "math/rand",
	"net", "os", "path/filepath", "plugin", "runtime", "syscall", "testing",
}

// purified takes single packages out from under impure: they only calculate.
var purified = []string{"net/mail", "net/netip", "net/textproto", "net/url"}

// tolerated lists what one pure package may import although it is impure.
var tolerated = map[string][]string{
	"identity": {"log/slog"}, // Only for LogValue, so that keys do not reach a log.
}

// owners names the packages that may import a library, which covers the
// packages below it unless they have a row of their own. Replacing the library
// is the work of these packages alone. Commands and tests are exempt.
var owners = map[string][]string{
	"github.com/twmb/franz-go":           {"stream"}, // and whatever has no row below
	"github.com/twmb/franz-go/pkg/kadm":  {"deploy/kafka", "internal/ghost"},
	"github.com/twmb/franz-go/pkg/kerr":  {"stream", "deploy/kafka"},
	"github.com/twmb/franz-go/pkg/kfake": {"deploy/kafka"},
	"github.com/twmb/franz-go/pkg/kgo":   {"stream", "deploy/kafka", "internal/ghost"}, // kadm works on a kgo client.
	"github.com/twmb/franz-go/pkg/kmsg":  {"stream", "internal/ghost"},
	"github.com/twmb/franz-go/pkg/sasl":  {"stream", "deploy/kafka"},
	"github.com/twmb/franz-go/pkg/sr":    {"schemas/avro"},
	"github.com/linkedin/goavro":         {"schemas/avro"},
	"github.com/twmb/avro":               {"schemas/avro"},
	"github.com/dgraph-io":               {"state"},
	"github.com/shopspring/decimal":      {"money"},
	"cel.dev/cel-go":                     {"normalize/mapping"},
	"go.yaml.in/yaml":                    {"contract", "normalize/mapping", "deploy/kafka", "internal/api", "internal/webhook"},
	"golang.org/x/net/publicsuffix":      {"identity"},
	"github.com/santhosh-tekuri":         {"internal/plans"},
	"github.com/spf13":                   {}, // Commands only.
}

// lineRule is a rule about single lines of the files that its in accepts.
type lineRule struct {
	name   string
	in     func(path string) bool
	breaks *regexp.Regexp
	mend   string
}

// lineRules are spelt so that this file does not break them.
var lineRules = []lineRule{
	{
		name:   "nothing is left for later",
		in:     anyFile,
		breaks: regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`),
		mend:   "do it, or say what is known to be missing with BUG(area)",
	},
	{
		name:   "no paths of one machine",
		in:     notTest,
		breaks: regexp.MustCompile(`(^|[^\w.\-/])/(work|root|tmp|home/\w+|Users/\w+)/`),
		mend:   "take the directory as a flag, or use os.UserCacheDir, os.MkdirTemp or mktemp",
	},
	{
		name: "no hosts of package registries",
		in:   anyFile,
		breaks: regexp.MustCompile(`\b(proxy\.golang\.(org|com)|sum\.golang\.org|goproxy\.\w+|repo1?\.maven(\.apache)?\.org|` +
			`registry\.npmjs\.org|registry\.yarnpkg\.com|(files\.)?py(pi|thonhosted)\.org)\b`),
		mend: "the tools' own settings decide where packages come from",
	},
	{
		name:   "the pure packages have no clock",
		in:     pureSource,
		breaks: regexp.MustCompile(`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker)\b`),
		mend:   "take the time from the event, or as an argument",
	},
	{
		name:   "the pure packages start nothing",
		in:     pureSource,
		breaks: regexp.MustCompile(`^\s*go (func\b|\w+[\w.]*\()`),
		mend:   "let the caller decide what runs beside what",
	},
}

// thinCommands are the commands that hold flags and wiring only: all of their
// sources together have at most thinLines lines.
var thinCommands = []string{"cmd/ingest", "cmd/attributor", "cmd/reporter"}

const thinLines = 80
