package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// Schema returns the JSON Schema (2020-12) of postern.yaml. It comes from the
// types that the file is read into, so that the two can't differ in their keys;
// what goes beyond keys and types, Load checks alone.
func Schema() ([]byte, error) {
	schema := schemaOf(reflect.ValueOf(defaults()))
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Postern's configuration"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

type object = map[string]any

const durationForm = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

// schemaOf describes a value's type, with the value as default where it is a
// single one.
func schemaOf(v reflect.Value) object {
	if schema := special(v); schema != nil {
		return schema
	}
	switch v.Kind() {
	case reflect.Struct:
		return structSchema(v)
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(reflect.Zero(v.Type().Elem()))}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(reflect.Zero(v.Type().Elem()))}
	case reflect.Bool:
		return withDefault(object{"type": "boolean"}, v, v.Bool())
	case reflect.Int:
		return withDefault(object{"type": "integer", "minimum": 1}, v, v.Int())
	case reflect.Float64:
		return withDefault(object{"type": "number"}, v, v.Float())
	default:
		return withDefault(object{"type": "string"}, v, v.String())
	}
}

// special describes the types that have a form of their own.
func special(v reflect.Value) object {
	switch value := v.Interface().(type) {
	case authenticate:
		kinds := schemaOf(reflect.ValueOf(value.Any))
		return object{"oneOf": []object{kinds, schemaOf(reflect.ValueOf(value.All))}}
	case headers:
		fields := object{"type": "object", "minProperties": 1, "additionalProperties": object{"type": "string"}}
		return object{"oneOf": []object{schemaOf(reflect.ValueOf(value.Preset)), fields}}
	case peppers:
		return object{"oneOf": []object{{"type": "string"}, {"type": "array", "minItems": 1, "items": object{"type": "string"}}}}
	case days:
		return withDefault(object{"type": "string", "pattern": daysForm + "|" + durationForm}, v, time.Duration(value).String())
	case strictyaml.Duration:
		return withDefault(object{"type": "string", "pattern": durationForm}, v, time.Duration(value).String())
	case strictyaml.Size:
		return withDefault(object{"type": []string{"string", "integer"}, "pattern": `^(0|[1-9][0-9]*)(KiB|MiB|GiB|B)?$`, "minimum": 0}, v, int64(value))
	case entrypoint:
		return withDefault(object{"type": "string", "pattern": entrypointForm}, v, string(value))
	case worded:
		return withDefault(object{"enum": value.words()}, v, v.String())
	}
	if reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return object{"type": "string"}
	}
	return nil
}

func withDefault(schema object, v reflect.Value, value any) object {
	if !v.IsZero() {
		schema["default"] = value
	}
	return schema
}

// structSchema describes a struct's keys, but for those that are refused.
func structSchema(v reflect.Value) object {
	properties, required := object{}, []string{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if field.Type == reflect.TypeFor[strictyaml.Unsupported]() {
			continue
		}
		property := schemaOf(v.Field(i))
		if doc := field.Tag.Get("doc"); doc != "" {
			property["description"] = doc
		}
		properties[name] = property
		if option == "required" {
			required = append(required, name)
		}
	}
	schema := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}
