package access

// FoldName returns a header's name as the most forgiving upstream reads it:
// lower case, with "_" and "." as "-". CGI and WSGI servers can't tell
// X_Consumer_Username from X-Consumer-Username. A name that is folded already
// is returned without an allocation.
//
// Case is folded in ASCII alone: to Unicode's rules the Kelvin sign is a "k",
// and so two names would be one.
func FoldName(name string) string {
	for i := range len(name) {
		if foldByte(name[i]) != name[i] {
			return foldFrom(name, i)
		}
	}
	return name
}

func foldByte(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return c
}

func foldFrom(name string, first int) string {
	out := []byte(name)
	for i := first; i < len(out); i++ {
		out[i] = foldByte(out[i])
	}
	return string(out)
}
