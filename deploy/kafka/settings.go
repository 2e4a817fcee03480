package kafka

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// settingKind says how the value of each topic setting is written. A setting
// that is not here is refused, so that a typing error is not sent to a broker
// that ignores it.
func settingKind(key string) (kind settingType, known bool) {
	switch key {
	case "retention.ms", "delete.retention.ms", "min.compaction.lag.ms", "max.compaction.lag.ms", "segment.ms":
		return settingDuration, true
	case "retention.bytes", "segment.bytes", "max.message.bytes":
		return settingSize, true
	case "min.insync.replicas":
		return settingCount, true
	case "cleanup.policy", "message.timestamp.type", "compression.type", "unclean.leader.election.enable":
		return settingWord, true
	case "min.cleanable.dirty.ratio":
		return settingRatio, true
	default:
		return 0, false
	}
}

type settingType int

const (
	settingWord settingType = iota
	settingCount
	settingDuration
	settingSize
	settingRatio
)

// settingWords lists the values of settings that are words.
func settingWords(key string) []string {
	switch key {
	case "cleanup.policy":
		return []string{"delete", "compact", "compact,delete"}
	case "message.timestamp.type":
		return []string{"CreateTime", "LogAppendTime"}
	case "compression.type":
		return []string{"producer", "uncompressed", "zstd", "lz4", "snappy", "gzip"}
	default:
		return []string{"true", "false"}
	}
}

// settingValue translates a value of topics.yaml into the one Kafka takes.
func settingValue(key, text string) (string, error) {
	kind, known := settingKind(key)
	if !known {
		return "", fmt.Errorf("config %s is not a topic setting this program knows", key)
	}
	switch kind {
	case settingWord:
		if !slices.Contains(settingWords(key), text) {
			return "", fmt.Errorf("config %s is %q, want one of %s", key, text, strings.Join(settingWords(key), ", "))
		}
		return text, nil
	case settingCount:
		n, err := strconv.ParseInt(text, 10, 16)
		if err != nil || n < 1 {
			return "", fmt.Errorf("config %s is %q, want a whole number above 0", key, text)
		}
		return strconv.FormatInt(n, 10), nil
	case settingRatio:
		return ratioValue(key, text)
	case settingDuration:
		return scaledValue(key, text, durationUnits())
	default:
		return scaledValue(key, text, sizeUnits())
	}
}

// unit is a suffix and what it multiplies by.
type unit struct {
	suffix string
	scale  int64
}

// durationUnits are the suffixes of a duration in milliseconds, ascending.
func durationUnits() []unit {
	return []unit{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}, {"d", 86_400_000}}
}

// sizeUnits are the suffixes of a size in bytes, ascending.
func sizeUnits() []unit {
	return []unit{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}
}

// ratioValue takes 0.dd between 0 and 1, as digits, so that what Kafka reports
// can be compared as text.
func ratioValue(key, text string) (string, error) {
	digits, ok := strings.CutPrefix(text, "0.")
	if _, err := strconv.ParseUint(digits, 10, 32); !ok || err != nil || strings.HasSuffix(digits, "0") {
		return "", fmt.Errorf("config %s is %q, want a decimal between 0 and 1 such as 0.3", key, text)
	}
	return text, nil
}

// scaledValue takes a whole number with a unit, a bare one, and for retention -1, forever
// or unlimited.
func scaledValue(key, text string, units []unit) (string, error) {
	if text == "-1" || text == "forever" && key == "retention.ms" || text == "unlimited" && key == "retention.bytes" {
		if !strings.HasPrefix(key, "retention.") {
			return "", fmt.Errorf("config %s cannot be %s, only retention can", key, text)
		}
		return "-1", nil
	}
	digits, scale := text, int64(1)
	for _, u := range units {
		// Only a suffix behind nothing but digits counts: 10ms is not 10m + s.
		rest, ok := strings.CutSuffix(text, u.suffix)
		if _, err := strconv.ParseUint(rest, 10, 63); ok && err == nil {
			digits, scale = rest, u.scale
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n == 0 || n > uint64(math.MaxInt64/scale) {
		return "", fmt.Errorf("config %s is %q, want a whole number with a unit such as %s", key, text, units[len(units)-1].suffix)
	}
	return strconv.FormatInt(int64(n)*scale, 10), nil
}
