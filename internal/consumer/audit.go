package consumer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"
)

// Sum is the hash that the record has in the chain: SHA-256 over every field
// but Hash, each led by its length in 8 bytes, in the order of AuditRecord. At
// counts to the microsecond, in UTC, which every store keeps.
func (a *AuditRecord) Sum() string {
	sum := sha256.New()
	for _, field := range []string{
		strconv.FormatInt(a.Number, 10), strconv.FormatInt(int64(a.Sequence), 10),
		a.At.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano),
		a.Author.Name, a.Author.Address, a.Action, a.Kind, a.Target, a.Before, a.After, a.Reason, a.Previous,
	} {
		sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field)))) // a hash never fails to write
		sum.Write([]byte(field))
	}
	return hex.EncodeToString(sum.Sum(nil))
}
