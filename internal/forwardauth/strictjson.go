package forwardauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep the input's JSON may be nested.
const maxDepth = 64

// decodeObject reads one JSON object and nothing after it. Members that are
// there twice, bytes that are not UTF-8 and lone surrogates are errors:
// encoding/json would take the last of the former and mend the latter.
func decodeObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the input is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := decodeValue(d, maxDepth)
	if err != nil {
		return nil, fmt.Errorf("the input is no strict JSON: %w", err)
	}
	object, ok := value.(map[string]any)
	if _, err := d.Token(); !ok || !errors.Is(err, io.EOF) {
		return nil, errors.New("the input is not one JSON object")
	}
	return object, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth == 0 {
		return nil, errors.New("nested too deeply")
	}
	switch t := token.(type) {
	case string:
		return t, whole(t)
	case json.Delim:
		if t == '{' {
			return decodeMembers(d, depth-1)
		}
		return decodeElements(d, depth-1)
	}
	return token, nil
}

// whole refuses the character that encoding/json puts in place of a lone
// surrogate; nobody sends it on purpose.
func whole(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errors.New("a string holds a lone surrogate")
	}
	return nil
}

func decodeMembers(d *json.Decoder, depth int) (map[string]any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder takes nothing else here
		if _, twice := object[name]; twice {
			return nil, errors.New("a member is there twice")
		}
		if object[name], err = decodeValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func decodeElements(d *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for d.More() {
		value, err := decodeValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.Token()
	return list, err
}
