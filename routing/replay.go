package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ReadRecords reads decision records: what `anyedge explain --json` prints, whose history has them, a list of records,
// or one of them. They come in the order of the text.
func ReadRecords(r io.Reader) ([]Record, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	entries := []json.RawMessage{b}
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		if err := json.Unmarshal(b, &entries); err != nil {
			return nil, fmt.Errorf("read the records: %w", err)
		}
	}
	var records []Record
	for _, entry := range entries {
		var e struct {
			Record
			History []Record `json:"history"`
		}
		if err := json.Unmarshal(entry, &e); err != nil {
			return nil, fmt.Errorf("read the records: %w", err)
		}
		if e.Input.VIP != "" {
			records = append(records, e.Record)
		}
		records = append(records, e.History...)
	}
	if len(records) == 0 {
		return nil, errors.New("read the records: there are none: save what anyedge explain --json prints")
	}
	return records, nil
}

// Replay decides again on what r rests on, and says whether that gives what was recorded.
func (r Record) Replay() (again Decision, same bool) {
	again = Decide(r.Input)
	was, err1 := json.Marshal(r.Decision)
	is, err2 := json.Marshal(again)
	return again, err1 == nil && err2 == nil && bytes.Equal(was, is)
}
