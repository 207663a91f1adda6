package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/access"
)

// decisionOf reads what a policy answered. What is no answer (undefined, a
// number, an object that doesn't say whether it allows) denies; an answer that
// can't be obeyed as a whole is an error, for half of it may be worse than
// none.
func decisionOf(v ast.Value) (access.Decision, error) {
	switch v := v.(type) {
	case nil:
		return access.Decision{Detail: "the policy's result is undefined"}, nil
	case ast.Boolean:
		return access.Decision{Allowed: bool(v)}, nil
	case ast.Object:
		return decisionOfObject(v)
	}
	return access.Decision{Detail: "the policy's result is of type " + ast.ValueName(v) + ", want a boolean or an object"}, nil
}

func decisionOfObject(o ast.Object) (access.Decision, error) {
	allowed, isBoolean := member(o, "allowed").(ast.Boolean)
	if !isBoolean {
		return access.Decision{Detail: "the policy's result has no boolean `allowed`"}, nil
	}
	r := result{object: o}
	d := access.Decision{Allowed: bool(allowed), Headers: r.headers("headers"), Metadata: r.metadata("dynamic_metadata")}
	r.onAllow(&d)
	r.onDenial(&d)
	if r.err != nil {
		return access.Decision{}, r.err
	}
	return d, nil
}

// onAllow reads what an allow does to the request. As in OPA-Envoy it is not
// looked at for a denial.
func (r *result) onAllow(d *access.Decision) {
	if !d.Allowed {
		return
	}
	d.ResponseHeaders = r.headers("response_headers_to_add")
	d.RemoveHeaders = r.names("request_headers_to_remove")
	d.SetQuery = r.query("query_parameters_to_set")
	d.RemoveQuery = r.strings("query_parameters_to_remove")
}

// onDenial reads what the client is told. As in OPA-Envoy it is not looked at
// for an allow.
func (r *result) onDenial(d *access.Decision) {
	if d.Allowed {
		return
	}
	d.Status = r.status("http_status")
	d.Body, d.HasBody = r.body("body")
}

func member(o ast.Object, name string) ast.Value {
	if term := o.Get(ast.StringTerm(name)); term != nil {
		return term.Value
	}
	return nil
}
