package main

import (
	"fmt"
	"slices"
	"strconv"
)

// ratio is that of two costs: the median of the rounds, and what lies around it.
type ratio struct{ median, least, most float64 }

func (r ratio) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", r.median, r.least, r.most) }

func ratioOf(costs, beside []float64) ratio {
	all := ratios(costs, beside)
	return ratio{median(all), slices.Min(all), slices.Max(all)}
}

// ratios are those of each round.
func ratios(costs, beside []float64) []float64 {
	all := make([]float64, len(costs))
	for i := range costs {
		all[i] = costs[i] / beside[i]
	}
	return all
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func memory(mib float64) string { return fmt.Sprintf("%.0f MiB", mib) }

func seconds(s float64) string { return fmt.Sprintf("%.2f s", s) }

func micros(s float64) string { return fmt.Sprintf("%.0f µs", s*1e6) }

func times(x float64) string { return fmt.Sprintf("%.2f", x) }

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
