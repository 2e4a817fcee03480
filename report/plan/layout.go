package plan

import (
	"slices"
	"strconv"
	"strings"
)

// The words of the fields that campaign teams' plans have.
const (
	sequential = "sequential"
	parallel   = "parallel"

	strategyPipeline = "pipeline"
	strategyDiamond  = "diamond"

	toolItself   = "track-source"
	toolModels   = "Serena"              // differences of data models
	toolTaxonomy = "Context7"            // the partners' taxonomy documents
	toolCadence  = "Sequential Thinking" // the readout
	toolPages    = "Playwright"          // the dashboard's looks
)

// concurrentMax is how many tasks of one group are done at the same time: a reporter
// answers one package at a time, and people are asked by partner.
const concurrentMax = 8

// kind is a kind of task, and what it takes.
type kind struct {
	agent  string
	tools  []string
	tokens int64 // that an agent that takes it on reads and writes, a round figure
}

// layOut fills what follows from the question and from what is known of the sources:
// objective, strategy, stages and the graph.
func (p *Plan) layOut() {
	b := &p.TrackSource
	partners := p.partners()
	p.Strategy = strategyPipeline
	if len(partners) > 1 {
		p.Strategy = strategyDiamond
	}
	p.Complexity = complexity(len(b.DataSources))
	p.Objective = p.objective()
	p.Stages, p.Parallelization = stages(partners, b.Question, p.Strategy == strategyDiamond)
	var tokens int64
	for _, s := range p.Stages {
		for _, t := range s.Tasks {
			tokens += t.EstimatedTokens
		}
	}
	p.EstimatedCost = strconv.FormatInt(tokens, 10) + " tokens"
	const minutesEach = 5 // a stage, people and agents reading included
	p.EstimatedDuration = "PT" + strconv.Itoa(minutesEach*len(p.Stages)) + "M"
	p.ContextPassing = ContextPassing{Method: "file-based", ArtifactsLocation: artifacts(b)}
	p.SuccessCriteria = []string{
		"Contributions of every measure sum to its total, to the minor unit.",
		"Confidence of the credits is at least " + p.target(metricConfidence) + ".",
		"Every feed is within its limits of freshness and completeness.",
		"No partner's dispute is open.",
		"The package made again from its manifest is the same, byte for byte; XLSX in content.",
	}
	p.Deliverables = []string{
		"Dashboard snapshot with the breakdown by partner and source",
		"Contribution table of pipeline and revenue against targets",
		"Executive summary and weekly packet",
		"Action list that names assets and channels",
		"Manifest with the hash that partners sign",
	}
	if b.Package != nil && len(b.Package.Files) > 0 {
		p.Deliverables = slices.Clone(b.Package.Files)
	}
	b.DependencyGraph = graph(partners, b.DataSources)
}

func artifacts(b *Block) string {
	if b.Package != nil && b.Package.Directory != "" {
		return b.Package.Directory
	}
	return "the directory of --out"
}

func (p *Plan) target(metric string) string {
	for _, m := range p.TrackSource.SuccessMetrics {
		if m.Metric == metric {
			return m.Target
		}
	}
	return confidenceTarget
}

func (p *Plan) objective() string {
	b := &p.TrackSource
	q := b.Question
	name := b.Campaign.Name
	if name == "" {
		name = q.Campaign
	}
	text := "Attribute pipeline and revenue of " + name + " to " + list(q.Dimensions, "partner and channel")
	if a := b.Answered; a != nil {
		text += ", " + days(a) + ", by " + a.Model
	} else {
		text += ", " + or(q.Window, "the default window") + ", by " + or(q.Model, "the agreed model")
	}
	return clip(text + ", in a package that its partners can sign.")
}

func days(a *Answered) string {
	if a.From == "" || a.To == "" {
		return "all days"
	}
	return a.From + " to " + a.To
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func list(names []string, other string) string {
	switch n := len(names); n {
	case 0:
		return other
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// complexity is by how many feeds have to agree.
func complexity(feeds int) string {
	switch {
	case feeds == 0:
		return "medium" // until it is known
	case feeds <= 2:
		return "simple"
	case feeds <= 6:
		return "medium"
	case feeds <= 12:
		return "complex"
	}
	return "very-complex"
}

// partners are those whose feeds are read in parallel: all that have one, in the order
// of the contract, then of the feeds.
func (p *Plan) partners() []string {
	b := &p.TrackSource
	var has, out []string
	for _, s := range b.DataSources {
		has = append(has, s.Partner)
	}
	for _, id := range slices.Concat(b.Campaign.Partners, has) {
		if id != "" && slices.Contains(has, id) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// unknownPartners stands for partners before anybody has read the contract.
const unknownPartners = "to be read from the contract"

// stages are the tasks: of each partner in the segment between question and merge gate,
// then of all together.
func stages(partners []string, q Question, diamond bool) ([]Stage, Parallelization) {
	execution, concurrent := sequential, 1
	if diamond {
		execution, concurrent = parallel, min(len(partners), concurrentMax)
	}
	if len(partners) == 0 {
		partners = []string{unknownPartners}
	}
	var out []Stage
	groups := []ParallelGroup{}
	var before []string // tasks of the stage before
	for n, s := range []struct {
		id, purpose, input, output string
		kind
	}{
		{
			"gather", "Read the CRM, MAP and analytics feeds and hold them against their limits of freshness and completeness; partner: ", "topics of the feeds", "feeds",
			kind{agent: agentLead, tools: []string{toolItself, toolTaxonomy}, tokens: 4000},
		},
		{
			"normalise", "Bring records to one taxonomy, one currency and one copy of each fact; partner: ", "feeds", "facts",
			kind{agent: agentRevOps, tools: []string{toolItself, toolModels, toolTaxonomy}, tokens: 6000},
		},
		{
			"attribute", "Credit pipeline and revenue; partner: ", "facts", "contributions",
			kind{agent: agentLead, tools: []string{toolItself}, tokens: 6000},
		},
	} {
		stage := Stage{StageID: s.id, Name: strings.ToUpper(s.id[:1]) + s.id[1:], Execution: execution, Tasks: []Task{}}
		var ids []string
		for i, partner := range partners {
			t := Task{
				TaskID: strconv.Itoa(n+1) + "." + strconv.Itoa(i+1), Agent: s.agent, Purpose: clip(s.purpose + partner), Input: s.input,
				OutputVar: s.output + "_" + strconv.Itoa(i+1), Dependencies: []string{}, ToolsRequired: s.tools, EstimatedTokens: s.tokens,
			}
			if n > 0 {
				t.Input += "_" + strconv.Itoa(i+1)
				t.Dependencies = []string{before[i]}
			}
			stage.Tasks = append(stage.Tasks, t)
			ids = append(ids, t.TaskID)
		}
		if diamond {
			groups = append(groups, ParallelGroup{GroupID: s.id, Tasks: ids, WaitFor: append([]string{}, before...)})
		}
		out, before = append(out, stage), ids
	}
	return append(out, together(before, q)...), Parallelization{MaxConcurrent: concurrent, ParallelGroups: groups}
}

// together are the stages from the merge gate on, behind the tasks of the partners.
func together(before []string, q Question) []Stage {
	formats := list(q.Formats, "every format")
	return []Stage{
		{"merge", "Merge gate", sequential, []Task{
			{"4.1", agentRevOps, "Reconcile: contributions of every measure sum to its total; retried twice, then escalated", "contributions of all partners", "reconciled", before, []string{toolItself}, 5000},
		}},
		{"insights", "Insights", sequential, []Task{
			{"5.1", agentLead, "Find top and bottom assets, segments and channels, drop-off points, anomalies, pace against targets and where models disagree", "reconciled", "insights", []string{"4.1"}, []string{toolItself}, 12000},
		}},
		{"package", "Package", sequential, []Task{
			{"6.1", agentLead, "Write dashboard snapshot, summary, packet and tables in " + formats, "reconciled, insights", "package", []string{"4.1", "5.1"}, []string{toolItself}, 10000},
			{"6.2", agentMarketer, "Look at the dashboard snapshot in a browser and in print before it is sent", "package", "quality", []string{"6.1"}, []string{toolPages}, 8000},
			{"6.3", agentLead, "Agree when and to whom the package is read out, and what has to be decided", "package", "readout", []string{"6.1"}, []string{toolCadence}, 4000},
			{"6.4", agentLead, "Have the partners sign the manifest", "package, quality", "signatures", []string{"6.2", "6.3"}, []string{toolItself}, 1000},
		}},
	}
}

// The kinds of nodes.
const (
	nodeFeed     = "feed"
	nodePartner  = "partner"
	nodeContract = "contract"
	nodeMerge    = "merge"
	nodePackage  = "package"
)

// graph leads from every feed over its partner and the merge gate to the package. Before
// feeds are known it has one of each kind of source.
func graph(partners []string, sources []DataSource) Graph {
	g := Graph{Nodes: []Node{{"contract", nodeContract, "Campaign contract, mappings, rates and account map", ""}}, Edges: []Edge{}}
	node := func(n Node) {
		n.ID = clip(n.ID)
		if !slices.ContainsFunc(g.Nodes, func(o Node) bool { return o.ID == n.ID }) {
			g.Nodes = append(g.Nodes, n)
		}
	}
	edge := func(from, to string) {
		if e := (Edge{clip(from), clip(to)}); !slices.Contains(g.Edges, e) {
			g.Edges = append(g.Edges, e)
		}
	}
	if len(sources) == 0 {
		for _, s := range []struct{ id, label string }{{systemCRM, "CRM"}, {systemMAP, "MAP"}, {systemAnalytics, "Analytics"}} {
			node(Node{"feed:" + s.id, nodeFeed, s.label + " feeds, " + unknownPartners, ""})
			edge("feed:"+s.id, nodeMerge)
		}
	}
	for _, s := range sources {
		node(Node{"feed:" + s.Feed, nodeFeed, clip(s.System + " feed " + s.Topic), s.Partner})
		if s.Partner == "" {
			edge("feed:"+s.Feed, nodeMerge)
			continue
		}
		edge("feed:"+s.Feed, "partner:"+s.Partner)
	}
	for _, id := range partners {
		node(Node{"partner:" + id, nodePartner, clip("Normalised and attributed: " + id), id})
		edge("contract", "partner:"+id)
		edge("partner:"+id, nodeMerge)
	}
	node(Node{nodeMerge, nodeMerge, "Merge gate: contributions reconciled with totals", ""})
	node(Node{nodePackage, nodePackage, "Reporting package", ""})
	edge("contract", nodeMerge)
	edge(nodeMerge, nodePackage)
	return g
}
