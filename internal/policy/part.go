package policy

import "github.com/postern-authz/postern/internal/gate"

// writer writes one field of a question to a sink; r says what is read of it.
type writer func(s sink, k key, q *gate.Question, r *reads) error

// field is one name in policy's input.
type field struct {
	name string
	// write writes the field; nil for an object, which is its fields.
	write  writer
	fields []field
	// null, if set, says that there is null in place of the object.
	null func(*gate.Question) bool
	// varies says that the value is another one for nearly every request, so
	// that a decision which depends on it is not worth remembering; allVaries
	// says so of the whole, while named parts of it may be steady.
	varies, allVaries bool
}

// part is the selection of a field that an entry point reads.
type part struct {
	key   key
	field *field
	reads *reads
	parts []part
}

// selectParts keeps of a field what is read.
func selectParts(f *field, r *reads) part {
	p := part{key: newKey(f.name), field: f, reads: r}
	for i := range f.fields {
		if below := r.below(f.fields[i].name); below != nil {
			p.parts = append(p.parts, selectParts(&f.fields[i], below))
		}
	}
	return p
}

// write writes what is read of a question.
func (p *part) write(s sink, q *gate.Question) error {
	if p.field.write != nil {
		return p.field.write(s, p.key, q, p.reads)
	}
	if p.field.null != nil && p.field.null(q) {
		s.null(p.key)
		return nil
	}
	s.begin()
	for i := range p.parts {
		if err := p.parts[i].write(s, q); err != nil {
			return err
		}
	}
	s.end(p.key)
	return nil
}
