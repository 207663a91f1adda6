package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// maxPage is the most that the API lists at once.
const maxPage = 1000

// limitFlag bounds a list: a store may hold millions.
func limitFlag(cmd *cobra.Command) *int {
	limit := cmd.Flags().Int("limit", maxPage, "list at most this many; 0: all")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *limit < 0 {
			return fmt.Errorf("--limit %d: expected 0 or more", *limit)
		}
		return nil
	}
	return limit
}

// gather reads a list page by page, up to a limit. The notes say when there is
// more.
func gather[T any](limit int, page func(size int32, token string) ([]T, string, error)) (all []T, notes []string, err error) {
	token := ""
	for {
		size := maxPage
		if limit > 0 {
			size = min(size, limit-len(all))
		}
		items, next, err := page(int32(size), token)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, items...)
		switch {
		case next == "":
			return all, nil, nil
		case limit > 0 && len(all) >= limit:
			return all, []string{fmt.Sprintf("these are the first %d; there are perhaps more: --limit 0 lists all", len(all))}, nil
		}
		token = next
	}
}
