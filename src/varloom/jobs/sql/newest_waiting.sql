SELECT id, stage, plan_version, needed_for(stage, options) AS need FROM jobs
WHERE account_id = %(account_id)s AND finished_at IS NULL AND state = 'queued'
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s
