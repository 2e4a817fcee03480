package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"tracksource/schemas/avro"
)

// The headers of a delivery. docs/webhooks.md tells receivers what they are.
const (
	headerDelivery  = "Tracksource-Delivery"
	headerTimestamp = "Tracksource-Timestamp"
	headerSignature = "Tracksource-Signature"
)

// payloadVersion rises when a member gets another meaning. New members may come
// without it.
const payloadVersion = 1

// payload is the body of a delivery, an alert as its record has it.
type payload struct {
	Version  int      `json:"version"`
	ID       string   `json:"id"`
	Kind     string   `json:"kind"`
	Severity string   `json:"severity"`
	State    string   `json:"state"`
	Rung     string   `json:"rung"`
	Owner    string   `json:"owner"`
	Fallback string   `json:"fallback"`
	Campaign string   `json:"campaign"`
	Partner  string   `json:"partner"`
	Subject  string   `json:"subject"`
	Message  string   `json:"message"`
	Evidence []string `json:"evidence"`
	RaisedAt string   `json:"raised_at"`
	Since    string   `json:"since"`
	Deadline string   `json:"deadline"`
}

func bodyOf(a *avro.Alert) ([]byte, error) {
	b, err := json.Marshal(payload{
		Version: payloadVersion, ID: a.ID, Kind: a.Kind, Severity: a.Severity, State: a.State,
		Rung: a.Rung, Owner: a.Owner, Fallback: a.Fallback, Campaign: a.Campaign, Partner: a.Partner,
		Subject: a.Subject, Message: a.Message, Evidence: append([]string{}, a.Evidence...),
		RaisedAt: a.RaisedAt.UTC().Format(time.RFC3339Nano), Since: a.Since, Deadline: a.Deadline,
	})
	if err != nil {
		return nil, fmt.Errorf("write alert %s: %w", a.ID, err)
	}
	return b, nil
}

// sign is the signature of a body that is sent at a time: the time is signed with
// it, so that what somebody has copied cannot be sent again later.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}
