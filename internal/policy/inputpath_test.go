package policy_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

func TestHasInput(t *testing.T) {
	for path, want := range map[string]bool{
		"consumer": true, "consumer.name": true, "consumer.labels.any": true, "consumer.attributes.a.b.c": true, "identity.claims.https.x": true,
		"attributes": true, "attributes.request.http.headers.x-user": true, "attributes.request.http.path": true, "attributes.source.address.socketAddress.address": true,
		"attributes.source.labels.x": true, "parsed_path": true, "parsed_query.page": true, "parsed_body.a.b": true, "route.params.id": true, "time": true,
		"attributes.metadataContext.filterMetadata.x": true, "attributes.contextExtensions.x": true, "version.encoding": true,

		"": false, "nope": false, "consumer.nmae": false, "consumer.name.first": false, "claims.sub": false, "headers.x": false, "attributes.nope": false,
		"attributes.request.http.header.x": false, "identity.roles.admin": false, "input.consumer.name": false,
	} {
		if got := policy.HasInput(strings.Split(path, ".")); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	if policy.HasInput(nil) {
		t.Error("no path at all is a field")
	}
}
