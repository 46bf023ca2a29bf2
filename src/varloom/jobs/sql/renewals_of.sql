SELECT id, renews_sample_id FROM jobs
WHERE account_id = %(account_id)s AND renews_sample_id = ANY (%(sample_ids)s) AND finished_at IS NULL
