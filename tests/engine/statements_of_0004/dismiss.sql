UPDATE jobs SET dismissed_at = now() WHERE id = %(job_id)s AND account_id = %(account_id)s AND finished_at IS NOT NULL
