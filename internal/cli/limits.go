package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// rateFlag collects rates, each written as it is shown: 5/1s,burst=10.
type rateFlag []*adminv1.Rate

// String implements pflag.Value.
func (f *rateFlag) String() string { return ratesText(*f) }

// Type implements pflag.Value.
func (*rateFlag) Type() string { return "rate" }

// Set implements pflag.Value.
func (f *rateFlag) Set(text string) error {
	limit, option, more := strings.Cut(text, ",")
	count, period, ok := readLimit(limit)
	burst := int64(0)
	if more {
		number, named := strings.CutPrefix(option, "burst=")
		var err error
		burst, err = strconv.ParseInt(number, 10, 64)
		ok = ok && named && err == nil && burst > 0
	}
	if !ok {
		return errors.New("expected COUNT/PERIOD, such as 5/1s, or with a burst, such as 5/1s,burst=10")
	}
	*f = append(*f, &adminv1.Rate{Count: count, Period: period, Burst: burst})
	return nil
}

// quotaFlag collects quotas, each written as it is shown: 1000/month,soft.
type quotaFlag []*adminv1.Quota

// String implements pflag.Value.
func (f *quotaFlag) String() string { return quotasText(*f) }

// Type implements pflag.Value.
func (*quotaFlag) Type() string { return "quota" }

// Set implements pflag.Value.
func (f *quotaFlag) Set(text string) error {
	limit, kind, more := strings.Cut(text, ",")
	count, period, ok := readLimit(limit)
	if !more {
		kind = "hard"
	}
	if !ok || kind != "hard" && kind != "soft" {
		return errors.New("expected COUNT/PERIOD, such as 1000/month, or 1000/month,soft")
	}
	*f = append(*f, &adminv1.Quota{Count: count, Period: period, Cap: kind})
	return nil
}

// readLimit reads COUNT/PERIOD. Which periods there are is the API's to say.
func readLimit(text string) (count int64, period string, ok bool) {
	number, period, found := strings.Cut(text, "/")
	count, err := strconv.ParseInt(number, 10, 64)
	return count, period, found && err == nil && count > 0 && period != ""
}

func ratesText(rates []*adminv1.Rate) string {
	list := make([]string, len(rates))
	for i, r := range rates {
		list[i] = fmt.Sprintf("%d/%s", r.GetCount(), r.GetPeriod())
		if r.GetBurst() > 0 {
			list[i] += fmt.Sprintf(",burst=%d", r.GetBurst())
		}
	}
	return strings.Join(list, " ")
}

func quotasText(quotas []*adminv1.Quota) string {
	list := make([]string, len(quotas))
	for i, q := range quotas {
		list[i] = fmt.Sprintf("%d/%s,%s", q.GetCount(), q.GetPeriod(), q.GetCap())
	}
	return strings.Join(list, " ")
}
