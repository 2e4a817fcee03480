package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"tracksource/normalize"
)

// Bounds of one expression.
const (
	expressionBytesMax = 4 << 10
	expressionDepthMax = 40
	costMax            = 100_000 // CEL's units: about one for each step and each ten bytes

	// recordCostMax bounds what all expressions cost on one record, some tenths of a
	// second: a long list of costly events must not hold up its partition.
	recordCostMax = 2_000_000
)

// program is a compiled expression over the variable event.
type program struct {
	source string
	eval   cel.Program
}

// environment has the event and nothing else: no clock, no lots, no other input.
func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.CustomTypeAdapter(ordered{types.DefaultTypeAdapter}),
		cel.Variable("event", cel.DynType),
		ext.Strings(),
		cel.ParserExpressionSizeLimit(expressionBytesMax),
		cel.ParserRecursionLimit(expressionDepthMax),
		cel.CrossTypeNumericComparisons(true),
	)
}

// ordered has expressions see the members of an object in the order of their names.
// Those of a Go map come in another order each time, and an event that is read again
// must become the same, at the same cost. An object that an expression itself writes
// down has no order: cel-go makes it without an adapter, and its author knows what is in it.
type ordered struct{ types.Adapter }

func (a ordered) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case map[string]any:
		return orderedMap{types.NewStringInterfaceMap(a, v), a}
	case []any:
		return types.NewDynamicList(a, v)
	}
	return a.Adapter.NativeToValue(v)
}

// orderedMap hides every other way to walk through a map than Iterator.
type orderedMap struct {
	traits.Mapper
	adapter types.Adapter
}

func (m orderedMap) Iterator() traits.Iterator {
	var keys []ref.Val
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, func(a, b ref.Val) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) // which are texts
	})
	return types.NewRefValList(m.adapter, keys).Iterator()
}

// newProgram compiles an expression whose result must fit kind.
func newProgram(env *cel.Env, source string, k kind) (*program, error) {
	if len(source) > expressionBytesMax {
		return nil, fmt.Errorf("an expression of %d bytes, at most %d are read", len(source), expressionBytesMax)
	}
	ast, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		var all []string
		for _, e := range issues.Errors() {
			all = append(all, fmt.Sprintf("%s (at %d:%d of the expression)", e.Message, e.Location.Line(), e.Location.Column()+1))
		}
		return nil, errors.New(strings.Join(all, "; "))
	}
	if out := ast.OutputType(); !fits(out, k) {
		return nil, fmt.Errorf("the expression gives %s, want %v", out, k)
	}
	p, err := env.Program(ast, cel.CostLimit(costMax), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return &program{source, p}, nil
}

// fits reports whether a result of the type may be what a target takes; for a
// dynamic one only an event tells.
func fits(t *cel.Type, k kind) bool {
	switch {
	case t.IsExactType(cel.DynType):
		return true
	case k == kindBool:
		return t.IsExactType(cel.BoolType)
	case k == kindInteger:
		return t.IsExactType(cel.IntType) || t.IsExactType(cel.StringType)
	case k == kindTime:
		return t.IsExactType(cel.StringType) || t.IsExactType(cel.IntType)
	case k == kindAmount:
		return t.IsExactType(cel.StringType) || t.IsExactType(cel.IntType)
	case k == kindText:
		return t.IsExactType(cel.StringType) || t.IsExactType(cel.IntType) || t.IsExactType(cel.BoolType)
	}
	return t.IsExactType(cel.StringType)
}

// run evaluates the expression. What fails names the field of the mapping and
// what was wrong with the expression, not what the event holds.
func (p *program) run(e *event, field string) (any, error) {
	if e.cost != nil && *e.cost > recordCostMax {
		return nil, normalize.Refuse(Cost, "%s: the expressions cost more than %d on this record: send it in parts", field, recordCostMax)
	}
	out, details, err := p.eval.Eval(map[string]any{"event": e.plain()})
	e.spend(details, err)
	if err != nil {
		if strings.Contains(err.Error(), "cost limit exceeded") {
			return nil, normalize.Refuse(Cost, "%s: the expression costs more than %d on this event", field, costMax)
		}
		return nil, normalize.Refuse(Failed, "%s: the expression fails on this event: a member is missing, or of another type", field)
	}
	return native(out, field)
}

// spend counts what an expression has cost.
func (e *event) spend(details *cel.EvalDetails, err error) {
	if e.cost == nil {
		return
	}
	*e.cost++
	if details != nil && details.ActualCost() != nil {
		*e.cost += *details.ActualCost()
	} else if err != nil {
		*e.cost += costMax
	}
}

func native(out ref.Val, field string) (any, error) {
	switch v := out.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Bool:
		return bool(v), nil
	case types.Double:
		return float64(v), nil
	case types.Null:
		return nil, nil
	}
	return nil, normalize.Refuse(Failed, "%s: the expression gives a value of type %s", field, out.Type().TypeName())
}
