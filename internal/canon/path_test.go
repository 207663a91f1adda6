package canon_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/canon"
)

func TestPath(t *testing.T) {
	for _, tt := range []struct{ raw, path, query string }{
		{"/", "/", ""},
		{"/a", "/a", ""},
		{"/a/b", "/a/b", ""},
		{"/a/", "/a/", ""},
		{"/a?", "/a", ""},
		{"/a?x=1&y=%20z", "/a", "x=1&y=%20z"},
		{"/a?b=/../c//d;e%zz?\\", "/a", "b=/../c//d;e%zz?\\"},
		{"/a?é", "/a", "é"},
		{"/?/../x", "/", "/../x"},

		// Dot segments, as in RFC 3986 section 5.2.4.
		{"/a/../b", "/b", ""},
		{"/a/./b", "/a/b", ""},
		{"/./a", "/a", ""},
		{"/.", "/", ""},
		{"/./", "/", ""},
		{"/a/..", "/", ""},
		{"/a/../", "/", ""},
		{"/a/.", "/a/", ""},
		{"/a/b/..", "/a/", ""},
		{"/a/b/../", "/a/", ""},
		{"/a/b/../../c", "/c", ""},
		{"/a/../b?x=1", "/b", "x=1"},
		{"/public/../admin", "/admin", ""},
		{"/./admin", "/admin", ""},
		{"/a/b/c/./../../g", "/a/g", ""},

		// Names that only look like dot segments.
		{"/.well-known/x", "/.well-known/x", ""},
		{"/...", "/...", ""},
		{"/..a/.b/c..", "/..a/.b/c..", ""},
		{"/a%2Eb", "/a.b", ""},
		{"/%2E%2e%2e", "/...", ""},
		{"/.%2ea", "/..a", ""},
		{"/%2ehidden", "/.hidden", ""},

		// Empty segments.
		{"//", "/", ""},
		{"//admin", "/admin", ""},
		{"/a//b", "/a/b", ""},
		{"/a///b////c", "/a/b/c", ""},
		{"/a//", "/a/", ""},
		{"//a/../b", "/b", ""},
		{"/a//b/../c", "/a/c", ""},
		{"/a/..//b", "/b", ""},

		// Parameters.
		{"/admin;x", "/admin", ""},
		{"/admin;", "/admin", ""},
		{"/admin;a=1;b=2/c;d?e;f", "/admin/c", "e;f"},
		{"/a;x/", "/a/", ""},
		{"/;x", "/", ""},
		{"/;x/a", "/a", ""},
		{"/a/;x", "/a/", ""},
		{"/a;x/../b", "/b", ""},
		{"/a%3Bb", "/a;b", ""},
		{"/a%3Bb;c", "/a;b", ""},
		{"/a;b%20c", "/a", ""},

		// Percent-encodings.
		{"/%61dmin", "/admin", ""},
		{"/a%20b", "/a b", ""},
		{"/a%23b", "/a#b", ""},
		{"/a%3Fb?c", "/a?b", "c"},
		{"/100%25", "/100%", ""},
		{"/100%25/b", "/100%/b", ""},
		{"/a%25g1", "/a%g1", ""},
		{"/a%251", "/a%1", ""},
		{"/a%25%25", "/a%%", ""},
		{"/%7E%7euser", "/~~user", ""},
		{"/a%2Bb+c", "/a+b+c", ""},
		{"/%C3%A9", "/é", ""},
		{"/%c3%a9", "/é", ""},
		{"/é", "/é", ""},
		{"/\xc3%a9", "/é", ""},
		{"/%F0%9F%94%91", "/🔑", ""},
		{"/%EF%BF%BD", "/\uFFFD", ""},
		{"/\"<>{}|^`[]", "/\"<>{}|^`[]", ""},
		{"/!$&'()*+,=:@-._~", "/!$&'()*+,=:@-._~", ""},
		{"/" + strings.Repeat("a", canon.MaxPath-1), "/" + strings.Repeat("a", canon.MaxPath-1), ""},
		{"/a?" + strings.Repeat("q", canon.MaxPath), "/a", strings.Repeat("q", canon.MaxPath)},
	} {
		path, query, err := canon.Path(tt.raw)
		if err != nil || path != tt.path || query != tt.query {
			t.Errorf("Path(%.40q) = %.40q, %.40q, %v; want %.40q, %.40q", tt.raw, path, query, err, tt.path, tt.query)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	for _, tt := range []struct{ raw, says string }{
		{"", "empty"},
		{"?x", "empty"},
		{"*", "no path"},
		{"a", "begin"},
		{"a/b", "begin"},
		{"http://h/a", "begin"},
		{" /a", "begin"},
		{"#/a", "begin"},

		{"/..", "above the root"},
		{"/../a", "above the root"},
		{"/a/../../b", "above the root"},
		{"/./..", "above the root"},

		{"/a//../b", "follows an empty"},
		{"//..", "follows an empty"},
		{"//../a", "follows an empty"},
		{"//./a", "follows an empty"},
		{"/a//.", "follows an empty"},
		{"/a/;x/../b", "follows an empty"},
		{"/a//b/../../c", "follows an empty"},
		{"/a//b/c/../../..", "follows an empty"},
		{"/a//b/.././..", "follows an empty"},

		{"/%2e", "hides"},
		{"/%2E%2E/a", "hides"},
		{"/a/.%2e/b", "hides"},
		{"/a/%2e./b", "hides"},
		{"/..;/admin", "hides"},
		{"/a/..;/admin", "hides"},
		{"/a/..;x=1/admin", "hides"},
		{"/a/.;/b", "hides"},
		{"/a/%2e%2e;x/b", "hides"},
		{"/a/..%3B/b", "hides"},
		{"/a/..%3Bx/b", "hides"},
		{"/a/.%3b", "hides"},

		{"/a%", "bad percent"},
		{"/a%2", "bad percent"},
		{"/a%zz%00", "bad percent"},
		{"/a%2/b", "bad percent"},
		{"/a%%32", "bad percent"},
		{"/a%u0041", "bad percent"},
		{"/a;x%zz/b", "bad percent"},
		{"/a%2?b", "bad percent"},

		{"/a%2Fb", "encoded '/'"},
		{"/a%2fb", "encoded '/'"},
		{"/a;x%2fy", "encoded '/'"},
		{"/a%5Cb", `encoded '\\'`},
		{"/a%5cb", `encoded '\\'`},
		{`/a\b`, `raw '\\'`},
		{`/\..\b`, `raw '\\'`},
		{`/a;\b`, `raw '\\'`},

		{"/a%252fb", "encoded twice"},
		{"/a%2541", "encoded twice"},
		{"/a%25%34%31", "encoded twice"},
		{"/a%25%341", "encoded twice"},
		{"/%252e%252e/b", "encoded twice"},
		{"/%25252e", "encoded twice"},

		{"/a%00", `encoded '\x00'`},
		{"/a%0d%0aX: y", `encoded '\r'`},
		{"/a%1f", `encoded '\x1f'`},
		{"/a%7F", `encoded '\x7f'`},
		{"/a%09", `encoded '\t'`},
		{"/a\x00", "raw"},
		{"/a\nb", "raw"},
		{"/a\tb", "raw"},
		{"/a\x7f", "raw"},
		{"/a b", "raw ' '"},
		{"/a ", "raw ' '"},
		{"/a%C2%85", "control"},
		{"/a\u009f", "control"},

		{"/%ff", "UTF-8"},
		{"/\xff", "UTF-8"},
		{"/%c3", "UTF-8"},
		{"/%c3/%a9", "UTF-8"},
		{"/%c0%af", "UTF-8"},
		{"/%c0%ae%c0%ae/a", "UTF-8"},
		{"/%e0%80%af", "UTF-8"},
		{"/%ed%a0%80", "UTF-8"},
		{"/%f4%90%80%80", "UTF-8"},

		{"/a#b", "raw '#'"},
		{"/a#b?c", "raw '#'"},
		{"/a?b#c", "query"},
		{"/a?b c", "query"},
		{"/a?b\x00", "query"},
		{"/a?b\r\n", "query"},
		{"/a?\x7f", "query"},

		{"/" + strings.Repeat("a", canon.MaxPath), "more than 8192"},
		{"/" + strings.Repeat("../", canon.MaxPath), "more than 8192"},
		{strings.Repeat("/a/..", 1000) + "/..", "above the root"},
	} {
		path, query, err := canon.Path(tt.raw)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("Path(%.40q) = %.40q, %.40q, %v; want an error with %q", tt.raw, path, query, err, tt.says)
		}
		if path != "" || query != "" {
			t.Errorf("Path(%.40q) = %.40q, %.40q beside an error", tt.raw, path, query)
		}
	}
}

func TestDecodedPath(t *testing.T) {
	for _, tt := range []struct{ raw, path, query string }{
		{"/", "/", ""},
		{"/a b", "/a b", ""},
		{"/100%", "/100%", ""},
		{"/a%20b%zz", "/a%20b%zz", ""},
		{"/%2e%2e/b", "/%2e%2e/b", ""},
		{"/é?x=%20", "/é", "x=%20"},
		{"/a#b", "/a#b", ""},
		{"/a/../b", "/b", ""},
		{"/a//b/./c/", "/a/b/c/", ""},
		{"/admin;x", "/admin", ""},
		{"/a\"<>{}|^", "/a\"<>{}|^", ""},
	} {
		path, query, err := canon.DecodedPath(tt.raw)
		if err != nil || path != tt.path || query != tt.query {
			t.Errorf("DecodedPath(%q) = %q, %q, %v; want %q, %q", tt.raw, path, query, err, tt.path, tt.query)
		}
	}
	for _, raw := range []string{
		"", "*", "a", "http://h/a", "/..", "/a/../..", "/a//../b", `/a\b`, "/a\x00", "/a\n", "/a\x7f", "/\xff", "/\u0085",
		"/a/..;/b", "/a;\x00", "/a?b c", "/" + strings.Repeat("a", canon.MaxPath),
	} {
		if path, _, err := canon.DecodedPath(raw); err == nil {
			t.Errorf("DecodedPath(%.40q) = %.40q, want an error", raw, path)
		}
	}
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ raw, host, path, query, says string }{
		{"/a/../b?x", "h.test", "/b", "x", ""},
		{"http://h.test/a?x", "h.test", "/a", "x", ""},
		{"HTTPS://H.Test.:8443/a", "h.test", "/a", "", ""},
		{"http://[::1]:80/a", "[::1]", "/a", "", ""},
		{"http://other.test/a", "h.test", "", "", "another host"},
		{"http://h.test", "h.test", "", "", "empty"},
		{"http://h.test?x", "h.test", "", "", "empty"},
		{"http://h.test#/a", "h.test", "", "", "begin"},
		{"http:///a", "h.test", "", "", "host is empty"},
		{"http://u@h.test/a", "h.test", "", "", "'@'"},
		{"http://h.test\\@other.test/a", "h.test", "", "", "byte"},
		{"http://h.test:99999/a", "h.test", "", "", "port"},
		{"ftp://h.test/a", "h.test", "", "", "begin"},
		{"http\u017f://h.test/a", "h.test", "", "", "begin"},
		{"//h.test/a", "h.test", "/h.test/a", "", ""},
		{"/a?http://h.test/b", "h.test", "/a", "http://h.test/b", ""},
	} {
		path, query, err := canon.Target(tt.raw, tt.host)
		if path != tt.path || query != tt.query || !says(err, tt.says) {
			t.Errorf("Target(%q, %q) = %q, %q, %v; want %q, %q, error %q", tt.raw, tt.host, path, query, err, tt.path, tt.query, tt.says)
		}
	}
}

// says reports that err has the text, or is nil where there is none.
func says(err error, text string) bool {
	if err == nil || text == "" {
		return err == nil && text == ""
	}
	return strings.Contains(err.Error(), text)
}

func TestCanonicalPathIsNotCopied(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		if _, _, err := canon.Path("/orders/1017/lines?page=2"); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("a canonical path costs %v allocations, want 0", got)
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/../b", "/a//b/./c/?q", "/%61%2e%2E", "/a;x/..;/b", "/%25%34%31", "/\xc3%a9", "/a%3B..", "//a/b/../..", "/.%2e", "/a%2e%3b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if path, _, err := canon.Path(raw); err == nil {
			checkCanonical(t, raw, path)
			checkStable(t, raw, path, encode(path), canon.Path)
		}
		if path, _, err := canon.DecodedPath(raw); err == nil {
			checkCanonical(t, raw, path)
			checkStable(t, raw, path, path, canon.DecodedPath)
		}
	})
}

func checkCanonical(t *testing.T, raw, path string) {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, `\`) ||
		strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path) || len(path) > canon.MaxPath {
		t.Errorf("%q is read as %q, which is not canonical", raw, path)
	}
	for segment := range strings.SplitSeq(path, "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			t.Errorf("%q is read as %q, which holds a dot segment", raw, path)
		}
	}
}

// checkStable reads a canonical path again, written as the reader wants it.
func checkStable(t *testing.T, raw, path, written string, read func(string) (string, string, error)) {
	if len(written) > canon.MaxPath {
		return
	}
	again, query, err := read(written)
	if err != nil || again != path || query != "" {
		t.Errorf("%q is read as %q, and that as %q, %q, %v", raw, path, again, query, err)
	}
}

// encode writes every byte but unreserved ones and slashes as %XX.
func encode(path string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for _, c := range []byte(path) {
		if c == '/' || c == '-' || c == '.' || c == '_' || c == '~' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return out.String()
}
