package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tracksource/deploy/kafka"
)

var update = flag.Bool("update", false, "rewrite golden files")

// patience is how long something that ends at once may take on a machine that does much
// else.
const patience = 4 * time.Minute

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func mustLoad(t *testing.T, profile string, opts kafka.Options) kafka.Spec {
	t.Helper()
	s, err := kafka.Load(profile, opts)
	if err != nil {
		t.Fatalf("Load(%s, %+v): %v", profile, opts, err)
	}
	return s
}

func acme() kafka.Options {
	return kafka.Options{Feeds: []kafka.Feed{{Kind: "map", Partner: "acme"}, {Kind: "crm", Partner: "acme"}}}
}

func memory(t *testing.T, opts ...kfake.Opt) *kafka.Memory {
	t.Helper()
	m, err := kafka.StartMemory(kafka.MemoryConfig{Options: opts})
	if err != nil {
		t.Fatalf("StartMemory: %v", err)
	}
	t.Cleanup(m.Close)
	return m
}

func admin(t *testing.T, conn kafka.Conn) *kadm.Client {
	t.Helper()
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(conn.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and read the diff)\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

func render(t *testing.T, steps []kafka.Step) string {
	t.Helper()
	var b bytes.Buffer
	if err := kafka.RenderPlan(&b, steps); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPlanGolden shows every topic of both profiles with its settings. The
// cluster is a plain one that does not call itself embedded, so nothing is
// left out.
func TestPlanGolden(t *testing.T) {
	m := memory(t, kfake.ClusterID("somebody-else"))
	for _, profile := range []string{kafka.ProfileLocal, kafka.ProfileProduction} {
		steps, err := kafka.Plan(patient(t), m.Conn(), mustLoad(t, profile, acme()))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "plan-"+profile+".txt", render(t, steps))
	}
}

func TestApplyVerifyEmbedded(t *testing.T) {
	ctx, m, s := patient(t), memory(t), mustLoad(t, kafka.ProfileLocal, acme())
	steps, err := kafka.Apply(ctx, m.Conn(), s)
	if err != nil || len(steps) != len(s.Topics()) {
		t.Fatalf("first Apply took %d steps, want %d: %v", len(steps), len(s.Topics()), err)
	}
	if steps, err = kafka.Apply(ctx, m.Conn(), s); err != nil || len(steps) != 0 {
		t.Fatalf("second Apply took %d steps, want none: %v\n%s", len(steps), err, render(t, steps))
	}
	if err := kafka.Verify(ctx, m.Conn(), s); err != nil {
		t.Fatalf("Verify after Apply: %v", err)
	}
	configs, err := admin(t, m.Conn()).DescribeTopicConfigs(ctx, s.Facts(), s.ResolveChangelog(), s.RawTopic("crm", "acme"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rc := range configs {
		for _, c := range rc.Configs {
			if c.Key == "cleanup.policy" && c.MaybeValue() != "delete" || c.Key == "retention.ms" && c.MaybeValue() != "-1" {
				t.Errorf("embedded topic %s has %s=%s: kfake must neither compact nor expire", rc.Name, c.Key, c.MaybeValue())
			}
		}
	}
}

func TestAlterMendsSettings(t *testing.T) {
	ctx, m, s := patient(t), memory(t), mustLoad(t, kafka.ProfileLocal, acme())
	if _, err := kafka.Apply(ctx, m.Conn(), s); err != nil {
		t.Fatal(err)
	}
	hour := "3600000"
	create := "CreateTime"
	cl := admin(t, m.Conn())
	for key, value := range map[string]*string{"retention.ms": &hour, "message.timestamp.type": &create} {
		rs, err := cl.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: value}}, s.Control())
		if err != nil || rs[0].Err != nil {
			t.Fatal(err, rs[0].Err)
		}
	}
	err := kafka.Verify(ctx, m.Conn(), s, s.Control())
	var v *kafka.VerifyError
	if !errors.As(err, &v) || len(v.Problems) != 2 || !strings.Contains(err.Error(), "retention.ms is 1h, wanted forever") {
		t.Fatalf("Verify with altered control: %v", err)
	}
	if err := kafka.Verify(ctx, m.Conn(), s, s.Journeys()); err != nil {
		t.Fatalf("Verify of another topic: %v", err)
	}
	steps, err := kafka.Apply(ctx, m.Conn(), s)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-alter.txt", render(t, steps))
	if err := kafka.Verify(ctx, m.Conn(), s); err != nil {
		t.Fatal(err)
	}
}

func TestWrongPartitions(t *testing.T) {
	ctx, m := patient(t), memory(t)
	small := acme()
	small.Partitions = map[string]int32{kafka.KeyObservations: 4, kafka.KeyRaw: 2}
	if _, err := kafka.Apply(ctx, m.Conn(), mustLoad(t, kafka.ProfileLocal, small)); err != nil {
		t.Fatal(err)
	}
	s := mustLoad(t, kafka.ProfileLocal, acme())
	if err := kafka.DeleteTopics(ctx, m.Conn(), s.Alerts()); err != nil {
		t.Fatal(err)
	}
	steps, err := kafka.Plan(ctx, m.Conn(), s)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-partitions.txt", render(t, steps))
	_, err = kafka.Apply(ctx, m.Conn(), s)
	var blocked *kafka.BlockedError
	if !errors.As(err, &blocked) || len(blocked.Steps) != 4 {
		t.Fatalf("Apply over wrong partitions: %v, want four blocked steps", err)
	}
	details, err := admin(t, m.Conn()).ListTopics(ctx, s.Alerts())
	if err != nil || details[s.Alerts()].Err == nil {
		t.Errorf("a blocked Apply created %s all the same (%v)", s.Alerts(), err)
	}
}

func TestVerifyMissing(t *testing.T) {
	ctx, m := patient(t), memory(t)
	opts := acme()
	opts.Prefix, opts.Partitions = "eu.tracksource", map[string]int32{kafka.KeyJourneys: 24}
	s := mustLoad(t, kafka.ProfileLocal, opts)
	err := kafka.Verify(ctx, m.Conn(), s, s.Control(), s.Journeys(), s.RawTopic("analytics", "globex"), "eu.tracksource.typo")
	if err == nil {
		t.Fatal("Verify of an empty cluster succeeded")
	}
	golden(t, "verify-missing.txt", strings.ReplaceAll(err.Error(), m.Conn().String(), "BROKERS")+"\n")
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	refused := deafAddr(t)
	// A listener that never answers: the connection opens, nothing comes back.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s := mustLoad(t, kafka.ProfileLocal, kafka.Options{})
	for name, addr := range map[string]string{"refused": refused, "silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			err := kafka.Verify(patient(t), kafka.Conn{Brokers: []string{addr}}, s)
			if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "no Kafka broker answers") {
				t.Errorf("Verify against %s: %v", addr, err)
			}
			if took := time.Since(start); took > hangMax {
				t.Errorf("took %v, want at most %v", took, hangMax)
			}
		})
	}
}

// deafAddr is an address on which nobody listens, nor can anybody while the test runs.
func deafAddr(t *testing.T) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}

// hangMax is how long an answer may take that is given within twelve seconds, on a
// machine that does much else. A client that is not bounded hangs for ever.
const hangMax = time.Minute

func TestCredentials(t *testing.T) {
	m := memory(t, kfake.EnableSASL(), kfake.Superuser(kafka.ScramSHA256, "ops", "correct horse"), kfake.Superuser(kafka.Plain, "plain", "p"))
	tests := []struct {
		name string
		sasl *kafka.SASL
		want string
	}{
		{"right", &kafka.SASL{Mechanism: kafka.ScramSHA256, User: "ops", Password: "correct horse"}, ""},
		{"right plain", &kafka.SASL{Mechanism: kafka.Plain, User: "plain", Password: "p"}, ""},
		{"wrong password", &kafka.SASL{Mechanism: kafka.ScramSHA256, User: "ops", Password: "battery staple"}, "refused SCRAM-SHA-256 user ops"},
		{"wrong plain", &kafka.SASL{Mechanism: kafka.Plain, User: "plain", Password: "battery staple"}, "refused PLAIN user plain"},
		{"no such mechanism", &kafka.SASL{Mechanism: "GSSAPI", User: "ops"}, `"GSSAPI" is not one of`},
		{"none", nil, "may expect SASL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := m.Conn()
			conn.SASL = tt.sasl
			start := time.Now()
			err := kafka.Ping(patient(t), conn)
			if took := time.Since(start); took > hangMax {
				t.Errorf("took %v, want at most %v", took, hangMax)
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Ping: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Ping: %v, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "battery staple"):
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestOldBroker(t *testing.T) {
	ctx := patient(t)
	old := memory(t, kfake.MaxVersions(kversion.V3_9_0()))
	err := kafka.CheckBroker(ctx, old.Conn())
	if err == nil || !strings.Contains(err.Error(), "older than Kafka 4.0") {
		t.Errorf("CheckBroker of a 3.9: %v", err)
	}
	m := memory(t)
	if err := kafka.CheckBroker(ctx, m.Conn()); err != nil {
		t.Errorf("CheckBroker: %v", err)
	}
	features := func(change func(*kmsg.ApiVersionsResponse)) {
		m.Cluster.ControlKey(18, func(req kmsg.Request) (kmsg.Response, error, bool) {
			m.Cluster.KeepControl()
			resp, ok := req.ResponseKind().(*kmsg.ApiVersionsResponse)
			if !ok {
				return nil, errors.New("not ApiVersions"), true
			}
			for key := range int16(80) {
				if k := kmsg.RequestForKey(key); k != nil {
					resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: min(k.MaxVersion(), 7)})
				}
			}
			change(resp)
			return resp, nil, true
		})
	}
	features(func(r *kmsg.ApiVersionsResponse) {
		r.FinalizedFeatures = []kmsg.ApiVersionsResponseFinalizedFeature{{Name: "metadata.version", MaxVersionLevel: 25}, {Name: "transaction.version", MaxVersionLevel: 1}}
	})
	if err := kafka.CheckBroker(ctx, m.Conn()); err == nil || !strings.Contains(err.Error(), "kafka-features upgrade --feature transaction.version=2") {
		t.Errorf("CheckBroker with transaction.version 1: %v", err)
	}
	silent := memory(t)
	m = silent
	features(func(*kmsg.ApiVersionsResponse) {})
	if err := kafka.CheckBroker(ctx, silent.Conn()); err != nil {
		t.Errorf("CheckBroker of a broker that reports no features: %v", err)
	}
}

func TestOffsetsAndDeletes(t *testing.T) {
	ctx, m, s := patient(t), memory(t), mustLoad(t, kafka.ProfileLocal, acme())
	if _, err := kafka.Apply(ctx, m.Conn(), s); err != nil {
		t.Fatal(err)
	}
	raw := s.RawTopic("crm", "acme")
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Conn().Brokers...), kgo.DefaultProduceTopic(raw), kgo.ConsumerGroup("g"), kgo.ConsumeTopics(raw), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for range 10 {
		if err := cl.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	ends, err := kafka.EndOffsets(ctx, m.Conn(), raw)
	if err != nil || ends.Total() != 10 || len(ends[raw]) != 3 {
		t.Errorf("EndOffsets: %v, %v, want 10 over 3 partitions", ends, err)
	}
	starts, err := kafka.StartOffsets(ctx, m.Conn(), raw)
	if err != nil || starts.Total() != 0 {
		t.Errorf("StartOffsets: %v, %v", starts, err)
	}
	if all, err := kafka.EndOffsets(ctx, m.Conn()); err != nil || len(all) != 0 {
		t.Errorf("EndOffsets of no topics: %v, %v", all, err)
	}
	if at, err := kafka.GroupOffsets(ctx, m.Conn(), "nobody"); err != nil || len(at) != 0 {
		t.Errorf("GroupOffsets of an unknown group: %v, %v", at, err)
	}
	read := 0
	for read < 10 {
		f := cl.PollFetches(ctx)
		if f.Err() != nil {
			t.Fatal(f.Err())
		}
		read += f.NumRecords()
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, kgo.StringRecord("late")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if at, err := kafka.GroupOffsets(ctx, m.Conn(), "g"); err != nil || at.Total() != 10 {
		t.Errorf("GroupOffsets: %v, %v, want 10 in all", at, err)
	}
	if err := kafka.DeleteGroups(ctx, m.Conn(), "g"); !errors.Is(err, kerr.NonEmptyGroup) {
		t.Errorf("DeleteGroups with a member: %v, want %v", err, kerr.NonEmptyGroup)
	}
	cl.Close()
	if err := kafka.DeleteGroups(ctx, m.Conn(), "g", "never-was"); err != nil {
		t.Errorf("DeleteGroups: %v", err)
	}
	if err := kafka.DeleteTopics(ctx, m.Conn(), raw, "never-was"); err != nil {
		t.Errorf("DeleteTopics: %v", err)
	}
	if err := kafka.Verify(ctx, m.Conn(), s, raw); err == nil {
		t.Error("Verify of a deleted topic succeeded")
	}
}

// TestOffsetsAt: at a time there is what was stamped until then, to the millisecond, also
// in a partition that has nothing later, and in one without records. The embedded broker
// leaves stamps to producers, whatever its topics say.
func TestOffsetsAt(t *testing.T) {
	ctx, m, s := patient(t), memory(t), mustLoad(t, kafka.ProfileLocal, acme())
	if _, err := kafka.Apply(ctx, m.Conn(), s); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Conn().Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	first := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	topics := []string{s.Contributions(), s.Facts()}
	for i := range 5 {
		for _, topic := range topics {
			for _, p := range []int32{0, 11} {
				r := &kgo.Record{Topic: topic, Partition: p, Value: []byte("x"), Timestamp: first.Add(time.Duration(i) * time.Second)}
				if p == 11 && i > 0 {
					continue
				}
				if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for d, want := range map[time.Duration][2]int64{
		-time.Hour: {0, 0}, -time.Millisecond: {0, 0}, 0: {1, 1}, time.Microsecond: {1, 1}, time.Second - time.Millisecond: {1, 1},
		time.Second: {2, 1}, 4*time.Second - time.Microsecond: {4, 1}, 4 * time.Second: {5, 1}, time.Hour: {5, 1},
	} {
		got, err := kafka.OffsetsAt(ctx, m.Conn(), first.Add(d), topics...)
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range topics {
			if at := got[topic]; len(at) != 12 || at[0] != want[0] || at[1] != 0 || at[11] != want[1] {
				t.Errorf("%v behind the first record %s stands at %v, want %v in its first and last partition", d, topic, at, want)
			}
		}
	}
}

// TestKept: how long versions are kept is what the cluster has, not what the file says,
// and for ever where nothing is compacted.
func TestKept(t *testing.T) {
	ctx, m, s := patient(t), memory(t, kfake.ClusterID("somebody-else")), mustLoad(t, kafka.ProfileLocal, acme())
	if _, err := kafka.Apply(ctx, m.Conn(), s); err != nil {
		t.Fatal(err)
	}
	hour := "3600000"
	if _, err := admin(t, m.Conn()).AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "min.compaction.lag.ms", Value: &hour}}, s.Facts()); err != nil {
		t.Fatal(err)
	}
	got, err := kafka.Kept(ctx, m.Conn(), s.Contributions(), s.Facts(), s.Control())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{s.Contributions(): 35 * 24 * time.Hour, s.Facts(): time.Hour, s.Control(): kafka.KeptForever}
	if !maps.Equal(got, want) {
		t.Errorf("kept are %v, want %v", got, want)
	}
}
