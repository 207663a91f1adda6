package importer

import (
	"context"
	"fmt"
	"io"

	"github.com/postern-authz/postern/internal/consumer"
)

// exportPage is how many records are read at once.
const exportPage = 500

// Export writes everything that a store holds in our declarative format, one
// consumer after another.
//
// What proves a credential by a secret can't be read back, so such a credential
// is written as a comment, which says what is to be filled in; certificates,
// issuers' values and public keys are written whole. Revoked credentials are
// left out: a file has no way to say that they never come back. Plans are a
// comment, since they belong into limits.plans of the configuration.
func Export(ctx context.Context, r consumer.Reader, w io.Writer) error {
	if err := exportPlans(ctx, r, w); err != nil {
		return err
	}
	written := false
	query := consumer.ConsumerQuery{Page: consumer.Page{Limit: exportPage}}
	for {
		list, err := r.Consumers(ctx, query)
		if err != nil {
			return fmt.Errorf("list consumers: %w", err)
		}
		for _, record := range list {
			credentials, err := allCredentials(ctx, r, record.Name)
			if err != nil {
				return err
			}
			if err := begin(w, &written); err != nil {
				return err
			}
			if err := writeConsumer(w, record, credentials); err != nil {
				return err
			}
			query.After = record.Name
		}
		if len(list) < exportPage {
			return end(w, written)
		}
	}
}

func begin(w io.Writer, written *bool) error {
	if *written {
		return nil
	}
	*written = true
	_, err := io.WriteString(w, "consumers:\n")
	return err
}

func end(w io.Writer, written bool) error {
	if written {
		return nil
	}
	_, err := io.WriteString(w, "consumers: []\n")
	return err
}

func allCredentials(ctx context.Context, r consumer.Reader, owner string) ([]*consumer.CredentialRecord, error) {
	var all []*consumer.CredentialRecord
	query := consumer.CredentialQuery{Consumer: owner, Page: consumer.Page{Limit: exportPage}}
	for {
		list, err := r.Credentials(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list the credentials of %s: %w", owner, err)
		}
		all = append(all, list...)
		if len(list) < exportPage {
			return all, nil
		}
		query.After = list[len(list)-1].ID
	}
}

// Write writes records in our declarative format, as Export does.
func Write(w io.Writer, records []*consumer.Record, credentials []*consumer.CredentialRecord) error {
	of := map[string][]*consumer.CredentialRecord{}
	for _, c := range credentials {
		of[c.Consumer] = append(of[c.Consumer], c)
	}
	written := false
	for _, record := range records {
		if err := begin(w, &written); err != nil {
			return err
		}
		if err := writeConsumer(w, record, of[record.Name]); err != nil {
			return err
		}
	}
	return end(w, written)
}
