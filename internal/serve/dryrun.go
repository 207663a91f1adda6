package serve

// tellDryRun says, at the start and whenever something else comes into force, that
// policy is not enforced: what is meant for a day is easily left on for a year.
func (r *reloader) tellDryRun(next, last *built) {
	on := next.config.Policy.DryRun
	r.status.dryRun(on)
	if on && (last == nil || last.revision != next.revision) {
		r.logger.Warn("DRY RUN: what policy denies is let through (policy.dry_run)")
	}
}

// dryRun notes whether policy is on a dry run.
func (s *status) dryRun(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.DryRun = on
}
