# METADATA
# title: What a permission speaks of
# description: |
#   Whether a permission or a rule that denies speaks of this request: by its
#   methods and paths. In a path pattern `*` is one segment or a part of it, and
#   a `/**` at the end is any number of segments, none included.
# schemas:
#   - input: schema.input
package postern.permissions

import rego.v1

# A permission must say what it permits. One that lacks methods or paths, that
# has a key which isn't known, or no list where one belongs, permits nothing.
grants(permission) if {
	every key, _ in permission {
		key in {"methods", "paths", "except", "when"}
	}
	includes_method(permission.methods)
	includes_path(permission.paths)
	except := object.get(permission, "except", [])
	is_array(except)
	not includes_path(except)
}

# A rule that denies: what it leaves out, or says in a way that can't be read,
# counts as everything.
forbids(rule) if {
	includes_method(list(rule, "methods", ["*"]))
	includes_path(list(rule, "paths", ["/**"]))
	not includes_path(list(rule, "except", []))
}

list(rule, key, otherwise) := object.get(rule, key, otherwise) if is_array(object.get(rule, key, otherwise))

else := otherwise

includes_method(methods) if "*" in methods

includes_method(methods) if input.attributes.request.http.method in methods

includes_path(patterns) if {
	some pattern in patterns
	fits(pattern)
}

fits(pattern) if glob.match(pattern, ["/"], path)

fits(pattern) if {
	endswith(pattern, "/**")
	trim_suffix(pattern, "/**") == trim_suffix(path, "/")
}

# The canonical path; a slash at the end makes no difference.
path := concat("", ["/", trim_suffix(concat("/", input.parsed_path), "/")])
