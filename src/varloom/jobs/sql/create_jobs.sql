-- Many jobs at once, in the order in which they are given: the line before a stage, and the list of jobs, follow it.
INSERT INTO jobs (account_id, upload_id, sample_name, options, plan, plan_version, stage, priority, max_attempts, message,
    created_at)
SELECT %(account_id)s, upload_id, sample_name, options, plan, plan_version, plan[1], priority, max_attempts, message,
       now() + place * interval '1 microsecond'
FROM jsonb_to_recordset(%(jobs)s) AS new(place integer, upload_id uuid, sample_name text, options jsonb, plan text[],
    plan_version integer, priority integer, max_attempts integer, message text)
ORDER BY place
RETURNING id, upload_id
