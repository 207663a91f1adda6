# METADATA
# title: The decision, with hours and dates
# description: |
#   As context, and its conditions know the time: `hours` and `dates`. What
#   depends on the clock can't be remembered: it is an entry point of its own, for
#   the routes that need it.
# schemas:
#   - input: schema.input
package postern.timed

import rego.v1

import data.postern.context
import data.postern.rules

# METADATA
# entrypoint: true
default allow := false

allow if {
	some permission in rules.granting
	met(permission)
	not denied
}

denied if {
	some rule in rules.denying
	not unmet(rule)
}

denied if context.foreign

met(permission) if {
	every name, wanted in object.get(permission, "when", {}) {
		holds(name, wanted)
	}
}

unmet(rule) if {
	some name, wanted in rule.when
	readable(name, wanted)
	not holds(name, wanted)
}

readable(name, wanted) if context.readable(name, wanted)

readable("hours", wanted) if is_hours(wanted)

readable("dates", wanted) if is_dates(wanted)

holds(name, wanted) if context.holds(name, wanted)

# A time of the day on some days of the week, in a time zone. With `from` after
# `to` it lasts over midnight and counts by the day that it began on.
holds("hours", wanted) if {
	is_hours(wanted)
	wanted.from <= wanted.to
	of_day(wanted) >= wanted.from
	of_day(wanted) < wanted.to
	on_day(wanted, 0)
}

holds("hours", wanted) if {
	is_hours(wanted)
	wanted.from > wanted.to
	of_day(wanted) >= wanted.from
	on_day(wanted, 0)
}

holds("hours", wanted) if {
	is_hours(wanted)
	wanted.from > wanted.to
	of_day(wanted) < wanted.to
	on_day(wanted, 1)
}

# From one instant on, until before another; either may be left out.
holds("dates", wanted) if {
	is_dates(wanted)
	every key, text in wanted {
		# is_dates has seen to it. lint:ignore deny-fails
		in_time(key, time.parse_rfc3339_ns(text))
	}
}

# The clock is what this entry point is for. lint:ignore not-remembered
now := time.now_ns()

in_time("from", instant) if now >= instant

in_time("to", instant) if now < instant

of_day(wanted) := sprintf("%02d:%02d", array.slice(time.clock([now, zone(wanted)]), 0, 2))

on_day(wanted, days_ago) if {
	instant := time.add_date(now, 0, 0, 0 - days_ago)
	day := time.weekday([instant, zone(wanted)])
	lower(substring(day, 0, 3)) in object.get(wanted, "days", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
}

zone(wanted) := object.get(wanted, "zone", "UTC")

is_hours(wanted) if {
	is_object(wanted)
	object.keys(wanted) - {"days", "zone"} == {"from", "to"}
	every key in ["from", "to"] {
		is_string(wanted[key])
		regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$`, wanted[key])
	}
	is_array(object.get(wanted, "days", []))
}

is_dates(wanted) if {
	is_object(wanted)
	count(wanted) > 0
	every key, text in wanted {
		key in {"from", "to"}
		is_string(text)
		regex.match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$`, text)
	}
}
