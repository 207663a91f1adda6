//go:build race

package clientcert_test

const raceEnabled = true
