package extauthz

import (
	"encoding/base64"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// metadataOf returns what yields the rarely read attributes, or nil where
// there are none. They are as protojson would write them, but for typed
// metadata: an Any keeps its bytes, since its type may be unknown here.
func metadataOf(attributes *authv3.AttributeContext) func() map[string]any {
	if attributes.GetMetadataContext() == nil && attributes.GetRouteMetadataContext() == nil && attributes.GetTlsSession() == nil {
		return nil
	}
	return func() map[string]any {
		all := make(map[string]any, 3)
		if metadata := attributes.GetMetadataContext(); metadata != nil {
			all["metadataContext"] = metadataMap(metadata)
		}
		if metadata := attributes.GetRouteMetadataContext(); metadata != nil {
			all["routeMetadataContext"] = metadataMap(metadata)
		}
		if session := attributes.GetTlsSession(); session != nil {
			all["tlsSession"] = sessionMap(session)
		}
		return all
	}
}

func metadataMap(metadata *corev3.Metadata) map[string]any {
	all := make(map[string]any, 2)
	if len(metadata.GetFilterMetadata()) > 0 {
		filters := make(map[string]any, len(metadata.GetFilterMetadata()))
		for filter, fields := range metadata.GetFilterMetadata() {
			filters[filter] = fields.AsMap()
		}
		all["filterMetadata"] = filters
	}
	if len(metadata.GetTypedFilterMetadata()) > 0 {
		filters := make(map[string]any, len(metadata.GetTypedFilterMetadata()))
		for filter, typed := range metadata.GetTypedFilterMetadata() {
			filters[filter] = anyMap(typed)
		}
		all["typedFilterMetadata"] = filters
	}
	return all
}

func anyMap(typed *anypb.Any) map[string]any {
	return map[string]any{
		"@type": typed.GetTypeUrl(),
		"value": base64.StdEncoding.EncodeToString(typed.GetValue()),
	}
}

func sessionMap(session *authv3.AttributeContext_TLSSession) map[string]any {
	if session.GetSni() == "" {
		return map[string]any{}
	}
	return map[string]any{"sni": session.GetSni()}
}
