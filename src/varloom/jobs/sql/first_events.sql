-- The first events of many new jobs, in the order in which the jobs stand in line. Who listens reads all that has come
-- since, so one notification is enough.
WITH numbered AS (
    UPDATE accounts SET last_event_id = last_event_id + cardinality(%(ids)s::uuid[])
    WHERE id = %(account_id)s RETURNING last_event_id - cardinality(%(ids)s::uuid[]) AS before
), appended AS (
    INSERT INTO job_events (account_id, id, job_id, state, stage, attempt, message, job)
    SELECT jobs.account_id, numbered.before + row_number() OVER (ORDER BY jobs.created_at, jobs.id), jobs.id, jobs.state,
           jobs.stage, jobs.attempt, jobs.message, to_jsonb(jobs)
    FROM numbered, jobs WHERE jobs.id = ANY (%(ids)s) AND jobs.account_id = %(account_id)s
    RETURNING id, job_id
)
SELECT pg_notify('varloom_events', json_build_object('account', %(account_id)s::uuid, 'event', id, 'job', job_id)::text)
FROM appended ORDER BY id DESC LIMIT 1
