package cases

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
)

// Keys are the API keys of the demonstration consumers, by the word for them in
// a case, and "made": a key in the form that Postern makes, of nobody.
func Keys() map[string]string {
	made, err := consumer.NewKey("pst", "prod", bytes.NewReader(make([]byte, 64)))
	if err != nil {
		panic(err) // the prefix is ours
	}
	return map[string]string{
		"mobile":  "demo-mobile-key-0123456789abcdefghijklmnopqrstuv",
		"acme":    "demo-acme-key-0123456789abcdefghijklmnopqrstuvwx",
		"ops":     "demo-ops-key-0123456789abcdefghijklmnopqrstuvwxyz",
		"retired": "demo-retired-key-0123456789abcdefghijklmnopqrst",
		"made":    string(made.Reveal()),
	}
}

var placeholder = regexp.MustCompile(`\$\{[^}]*\}`)

// Expand puts in a path what its ${…} stand for.
func Expand(text string) (string, error) { return expand(text, nil) }

// expand puts values in place of ${…}: keys, runs of a letter, pairs of username
// and password, and what was made for the request.
func expand(text string, made map[string]string) (string, error) {
	keys, unknown := Keys(), ""
	text = placeholder.ReplaceAllStringFunc(text, func(found string) string {
		word := found[2 : len(found)-1]
		name, isKey := strings.CutSuffix(word, "-key")
		letter, count, isRun := strings.Cut(word, "*")
		pair, isPair := strings.CutPrefix(word, "basic ")
		value, isMade := made[word]
		switch n, err := strconv.Atoi(count); {
		case isMade:
			return value
		case isPair:
			return base64.StdEncoding.EncodeToString([]byte(pair))
		case isKey && keys[name] != "":
			return keys[name]
		case isRun && err == nil:
			return strings.Repeat(letter, n)
		}
		unknown = found
		return ""
	})
	if unknown != "" {
		return "", fmt.Errorf("%s is unknown", unknown)
	}
	return text, nil
}
