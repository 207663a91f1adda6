package admin

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
)

// answer is what a creation answers with for what the keyring made.
func (s *Server) answer(made any) (proto.Message, error) {
	switch m := made.(type) {
	case *consumer.Record:
		return showConsumer(m)
	case *keyring.Issued:
		return s.showIssued(m), nil
	case *consumer.Application:
		return showApplication(m), nil
	case *keyring.Granted:
		return showGranted(m), nil
	case *consumer.Plan:
		return showPlan(m), nil
	}
	return nil, fmt.Errorf("no answer tells of a %T", made)
}
