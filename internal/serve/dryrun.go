package serve

// tellDryRun says, at the start and at each reload, that policy is not enforced:
// what is meant for a day is easily left on for a year.
func (r *reloader) tellDryRun(on bool) {
	r.status.dryRun(on)
	if on {
		r.logger.Warn("DRY RUN: what policy denies is let through (policy.dry_run)")
	}
}

// dryRun notes whether policy is on a dry run.
func (s *status) dryRun(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.DryRun = on
}
