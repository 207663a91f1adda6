// Command openapi reads the Swagger 2.0 that protoc-gen-openapiv2 writes and
// prints OpenAPI 3.0 that tells what the admin API really does: 64-bit numbers
// are numbers, creations answer 201 and deletions 204, errors are problem
// details, and calls take an admin token.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var swagger openapi2.T
	if err := json.NewDecoder(in).Decode(&swagger); err != nil {
		return err
	}
	doc, err := openapi2conv.ToV3(&swagger)
	if err != nil {
		return err
	}
	doc.OpenAPI = "3.0.3"
	doc.Info.Title, doc.Info.Version = "Postern admin API", "v1"
	doc.Servers = openapi3.Servers{{URL: "http://127.0.0.1:9193"}}
	secure(doc)
	doc.Components.Schemas["Problem"] = openapi3.NewSchemaRef("", problemSchema())
	for _, path := range doc.Paths.Map() {
		for method, operation := range path.Operations() {
			describe(method, operation)
		}
	}
	text, err := doc.MarshalJSON()
	if err != nil {
		return err
	}
	return write(out, text)
}

// write indents, and makes numbers of what protobuf's JSON has as texts.
func write(out io.Writer, text []byte) error {
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	numbers(tree)
	var indented bytes.Buffer
	encoder := json.NewEncoder(&indented)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(tree); err != nil {
		return err
	}
	_, err := out.Write(indented.Bytes())
	return err
}

func numbers(tree any) {
	switch node := tree.(type) {
	case map[string]any:
		if node["format"] == "int64" {
			node["type"] = "integer"
		}
		for _, child := range node {
			numbers(child)
		}
	case []any:
		for _, child := range node {
			numbers(child)
		}
	}
}

func secure(doc *openapi3.T) {
	doc.Components.SecuritySchemes = openapi3.SecuritySchemes{
		"token": {Value: openapi3.NewSecurityScheme().WithType("http").WithScheme("bearer")},
	}
	doc.Security = openapi3.SecurityRequirements{openapi3.NewSecurityRequirement().Authenticate("token")}
}

// describe says of a call what its annotations can't.
func describe(method string, operation *openapi3.Operation) {
	success := operation.Responses.Value("200")
	switch {
	case creates(operation.OperationID):
		success.Value.Description = text("Created.")
		operation.Responses.Delete("200")
		operation.Responses.Set("201", success)
		header(operation, "Idempotency-Key", "Asking again with the same key and body within 24 hours gives the same answer, and makes nothing more.")
	case method == http.MethodDelete:
		operation.Responses.Delete("200")
		operation.Responses.Set("204", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("Deleted.")})
	}
	if method == http.MethodPatch || method == http.MethodDelete {
		header(operation, "If-Match", "The ETag of the version that is meant; another one is 412.")
	}
	problem := openapi3.NewResponse().WithDescription("What went wrong.")
	problem.Content = openapi3.Content{"application/problem+json": {Schema: openapi3.NewSchemaRef("#/components/schemas/Problem", nil)}}
	operation.Responses.Set("default", &openapi3.ResponseRef{Value: problem})
}

func creates(call string) bool {
	return strings.HasPrefix(call, "Create") || strings.HasPrefix(call, "Rotate")
}

func text(s string) *string { return &s }

func header(operation *openapi3.Operation, name, description string) {
	parameter := openapi3.NewHeaderParameter(name).WithDescription(description).WithSchema(openapi3.NewStringSchema())
	operation.AddParameter(parameter)
}

func problemSchema() *openapi3.Schema {
	field := openapi3.NewObjectSchema().
		WithProperty("field", openapi3.NewStringSchema()).
		WithProperty("text", openapi3.NewStringSchema())
	schema := openapi3.NewObjectSchema().
		WithProperty("type", openapi3.NewStringSchema()).
		WithProperty("title", openapi3.NewStringSchema()).
		WithProperty("status", openapi3.NewIntegerSchema()).
		WithProperty("detail", openapi3.NewStringSchema()).
		WithProperty("code", openapi3.NewStringSchema()).
		WithProperty("errors", openapi3.NewArraySchema().WithItems(field))
	schema.Description = "Problem details (RFC 9457). The codes are stable; proto/README.md lists them."
	schema.Required = []string{"type", "title", "status", "detail", "code"}
	return schema
}
