# METADATA
# title: Tenants
# description: |
#   Keeps tenants apart: where a path names a tenant, it must be the consumer's
#   own. data.tenants says under which paths tenants are named and what of the
#   consumer says to which it belongs. Without data.tenants there are none.
# schemas:
#   - input: schema.input
package postern.tenants

import rego.v1

import data.postern.subject

# Whether the path names a tenant that is not the consumer's.
foreign if {
	some tenant in named
	not belongs(tenant)
	not crossing
}

foreign if unreadable

# What can't be read keeps everyone out.
unreadable if {
	data.tenants
	not listed
}

unreadable if {
	some prefix in data.tenants.under
	not is_string(prefix)
}

listed if is_array(data.tenants.under)

# The tenants that the path names: the segment that follows a path of `under`.
named contains tenant if {
	some prefix in data.tenants.under
	is_string(prefix)
	segments := [segment | some segment in split(prefix, "/"); segment != ""]
	array.slice(input.parsed_path, 0, count(segments)) == segments
	tenant := input.parsed_path[count(segments)]
	tenant != ""
}

# `member` says what of the consumer names its tenant, as the sources of `own`.
belongs(tenant) if subject.own(data.tenants.member) == tenant

# Roles that may cross from tenant to tenant.
crossing if {
	some role in data.tenants.crossing
	subject.has_role(role)
}
