-- Once, even if the answer to a first try was lost.
INSERT INTO workers (id, host, pid, version, slots, plan_version, stages_at_once, engines, serves)
VALUES (%(worker_id)s, %(host)s, %(pid)s, %(version)s, %(slots)s, %(plan_version)s, %(stages_at_once)s,
    %(engines)s, %(serves)s)
ON CONFLICT (id) DO NOTHING
