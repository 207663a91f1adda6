// Package journal keeps decisions with what policy saw of each request, so that
// another policy can be asked about yesterday's traffic. No credential gets
// into it, no request waits for it, and a disk that is full or slow costs
// records, which are counted, never answers.
package journal
