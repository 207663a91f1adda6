package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/postern-authz/postern/internal/access"
)

// labels are the attribute sets of the request path, made beforehand: a
// measurement then allocates nothing, and no label takes a value that is not
// listed here.
type labels struct {
	read, policy, check []metric.RecordOption
	verdicts            map[verdictLabel][]metric.AddOption
	other               [access.Allowed + 1][]metric.AddOption
	policyError         []metric.AddOption
	policyUndefined     []metric.AddOption
	doors               map[access.Door][]metric.AddOption
}

type verdictLabel struct {
	outcome access.Outcome
	code    access.Code
	door    access.Door
}

func newLabels() labels {
	l := labels{
		read: stopLabel("read"), policy: stopLabel("policy"), check: stopLabel("check"),
		policyError:     counterLabel(attribute.String("kind", "error")),
		policyUndefined: counterLabel(attribute.String("kind", "undefined")),
		verdicts:        make(map[verdictLabel][]metric.AddOption),
		doors:           map[access.Door][]metric.AddOption{"": counterLabel(attribute.String("door", "other"))},
	}
	for _, door := range access.Doors() {
		l.doors[door] = counterLabel(attribute.String("door", string(door)))
	}
	for outcome := range access.Allowed + 1 {
		for _, code := range access.Codes() {
			for _, door := range access.Doors() {
				key := verdictLabel{outcome, code, door}
				l.verdicts[key] = key.option()
			}
		}
		l.other[outcome] = verdictLabel{outcome, "other", "other"}.option()
	}
	return l
}

// verdict returns the labels of a verdict; a code or door that is not listed
// counts as other.
func (l *labels) verdict(outcome access.Outcome, code access.Code, door access.Door) []metric.AddOption {
	if option, ok := l.verdicts[verdictLabel{outcome, code, door}]; ok {
		return option
	}
	return l.other[outcome]
}

// door returns the label of a door; one that is not listed counts as other.
func (l *labels) door(door access.Door) []metric.AddOption {
	if option, ok := l.doors[door]; ok {
		return option
	}
	return l.doors[""]
}

func (v verdictLabel) option() []metric.AddOption {
	return counterLabel(attribute.String("outcome", v.outcome.String()),
		attribute.String("code", string(v.code)), attribute.String("door", string(v.door)))
}

func counterLabel(kv ...attribute.KeyValue) []metric.AddOption {
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(kv...))}
}

func stopLabel(stop string, kv ...attribute.KeyValue) []metric.RecordOption {
	set := attribute.NewSet(append(kv, attribute.String("stop", stop))...)
	return []metric.RecordOption{metric.WithAttributeSet(set)}
}
