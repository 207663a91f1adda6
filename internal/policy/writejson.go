package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/open-policy-agent/opa/v1/ast"
)

// asJSON is data that writes itself, so that no copy of it is made to be
// written.
type asJSON struct{ value ast.Value }

// MarshalJSON implements json.Marshaler.
func (a asJSON) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	err := writeJSON(&text, a.value)
	return text.Bytes(), err
}

// writeJSON writes data: members in order, numbers as they were written.
func writeJSON(w io.Writer, value ast.Value) error {
	switch value := value.(type) {
	case ast.Null:
		return written(w, "null")
	case ast.Boolean, ast.Number:
		return written(w, value.String())
	case ast.String:
		text, err := json.Marshal(string(value))
		if err != nil {
			return err
		}
		return written(w, string(text))
	case *ast.Array:
		return writeList(w, value)
	case ast.Object:
		return writeObject(w, value)
	}
	return fmt.Errorf("data holds a %T", value)
}

func written(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func writeList(w io.Writer, list *ast.Array) error {
	before := "["
	err := list.Iter(func(item *ast.Term) error {
		if err := written(w, before); err != nil {
			return err
		}
		before = ","
		return writeJSON(w, item.Value)
	})
	if err != nil {
		return err
	}
	if list.Len() == 0 {
		return written(w, "[]")
	}
	return written(w, "]")
}

func writeObject(w io.Writer, object ast.Object) error {
	before := "{"
	err := object.Iter(func(key, value *ast.Term) error {
		if err := written(w, before); err != nil {
			return err
		}
		before = ","
		if err := writeJSON(w, key.Value); err != nil {
			return err
		}
		if err := written(w, ":"); err != nil {
			return err
		}
		return writeJSON(w, value.Value)
	})
	if err != nil {
		return err
	}
	if object.Len() == 0 {
		return written(w, "{}")
	}
	return written(w, "}")
}
