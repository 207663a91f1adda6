package policy

// InputNames lists the fields of the input that hold a value, by dotted path.
func InputNames() []string { return namesOf(inputFields(nil).fields, "") }

func namesOf(fields []field, at string) (names []string) {
	for i := range fields {
		name := at + fields[i].name
		if fields[i].write != nil {
			names = append(names, name)
		}
		names = append(names, namesOf(fields[i].fields, name+".")...)
	}
	return names
}
