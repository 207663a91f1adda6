package policy

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
)

// errNoKey is for values that have no one form to be remembered under.
var errNoKey = errors.New("the value has no canonical form")

// digest writes a part of the input as bytes that no other input has: every
// item begins with its kind and its name, everything of variable length with
// its length.
type digest struct{ bytes []byte }

func newDigest() *digest { return &digest{bytes: make([]byte, 0, 1024)} }

// The kinds of items.
const (
	itemBegin = iota
	itemEnd
	itemNull
	itemFalse
	itemTrue
	itemText
	itemTexts
	itemNumber
	itemFloat
	itemDecimal
	itemList
)

func (d *digest) item(kind byte, k key) {
	d.bytes = append(d.bytes, kind)
	d.string(k.name)
}

func (d *digest) length(n int) { d.bytes = binary.AppendUvarint(d.bytes, uint64(n)) }

func (d *digest) string(s string) {
	d.length(len(s))
	d.bytes = append(d.bytes, s...)
}

func (d *digest) begin()     { d.bytes = append(d.bytes, itemBegin) }
func (d *digest) end(k key)  { d.item(itemEnd, k) }
func (d *digest) null(k key) { d.item(itemNull, k) }

func (d *digest) flag(k key, v bool) {
	if v {
		d.item(itemTrue, k)
		return
	}
	d.item(itemFalse, k)
}

func (d *digest) text(k key, v string) {
	d.item(itemText, k)
	d.string(v)
}

func (d *digest) texts(k key, v []string) {
	d.item(itemTexts, k)
	d.length(len(v))
	for i := range v {
		d.string(v[i])
	}
}

func (d *digest) number(k key, v int64) {
	d.item(itemNumber, k)
	d.bytes = binary.BigEndian.AppendUint64(d.bytes, uint64(v))
}

func (d *digest) value(k key, v any) error {
	switch v := v.(type) {
	case nil:
		d.null(k)
	case bool:
		d.flag(k, v)
	case string:
		d.text(k, v)
	case json.Number:
		d.item(itemDecimal, k)
		d.string(string(v))
	case float64:
		d.item(itemFloat, k)
		d.bytes = binary.BigEndian.AppendUint64(d.bytes, math.Float64bits(v))
	case int:
		d.number(k, int64(v))
	case int64:
		d.number(k, v)
	case []string:
		d.texts(k, v)
	case []any:
		return d.list(k, v)
	case map[string]any:
		return d.object(k, v)
	default:
		return errNoKey
	}
	return nil
}

func (d *digest) list(k key, values []any) error {
	d.item(itemList, k)
	d.length(len(values))
	for _, v := range values {
		if err := d.value(key{}, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *digest) object(k key, m map[string]any) error {
	d.begin()
	for _, name := range sorted(m) {
		if err := d.value(key{name: name}, m[name]); err != nil {
			return err
		}
	}
	d.end(k)
	return nil
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
