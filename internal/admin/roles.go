package admin

import (
	"strings"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// needs is the role that a call takes: who may look, who may work on consumers
// and keys, and who may change what holds for all, or read who did what. A call
// that is not in the table takes the highest.
func needs(fullMethod string) Role {
	switch fullMethod {
	case adminv1.Admin_ListAudit_FullMethodName,
		adminv1.Admin_VerifyAudit_FullMethodName,
		adminv1.Admin_ListInstances_FullMethodName,
		adminv1.Admin_CreatePlan_FullMethodName,
		adminv1.Admin_UpdatePlan_FullMethodName,
		adminv1.Admin_DeletePlan_FullMethodName:
		return RoleAdmin
	}
	switch name := methodName(fullMethod); {
	case reads(name):
		return RoleViewer
	case writes(name):
		return RoleEditor
	}
	return RoleAdmin
}

// reads reports whether a call, by its name, changes nothing.
func reads(name string) bool {
	return strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List") || name == "Export" || name == "VerifyAudit"
}

func writes(name string) bool {
	for _, verb := range []string{"Create", "Update", "Delete", "Disable", "Enable", "Rotate", "Revoke", "Import"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}

// creates reports whether a call makes something new, so that asking twice
// makes two.
func creates(name string) bool {
	return strings.HasPrefix(name, "Create") || strings.HasPrefix(name, "Rotate")
}

// methodName cuts "/postern.admin.v1.Admin/" off.
func methodName(fullMethod string) string {
	return fullMethod[strings.LastIndexByte(fullMethod, '/')+1:]
}
