"""Notices of jobs that have ended, by e-mail and webhook, as each account chooses."""
