-- compatible from: 0004
-- What operators hold back, which plans a worker knows, whom a worker's death made a suspect, and indexes by which a
-- claim and the first page of the Job Manager cost the same however many jobs there are.

ALTER TABLE jobs
    ADD COLUMN plan_version integer NOT NULL DEFAULT 1,  -- a worker that does not know it leaves the job alone
    ADD COLUMN suspected_at timestamptz;                -- a worker died with this stage: see docs/decisions.md

ALTER TABLE workers
    ADD COLUMN plan_version integer NOT NULL DEFAULT 1,  -- the newest that it knows
    ADD COLUMN stages_at_once integer;                   -- over all kinds; null: as many as there are slots

-- A stage, or an account's jobs, of which nothing is claimed until it is resumed. What runs goes on.
CREATE TABLE pauses (
    stage text UNIQUE CHECK (stage IN ('download', 'process', 'annotate', 'parse')),
    account_id uuid UNIQUE REFERENCES accounts ON DELETE CASCADE,
    reason text,
    paused_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(stage, account_id) = 1)
);

-- The line of each account before each stage: the claim looks at its head. The time of the retry is a column of the
-- index, so that delayed jobs are passed over without being visited.
CREATE INDEX jobs_line_idx ON jobs (stage, account_id, (-priority), created_at, id, run_after) WHERE state = 'queued';
DROP INDEX jobs_waiting_idx;

CREATE INDEX jobs_active_idx ON jobs (account_id, created_at DESC, id DESC) WHERE finished_at IS NULL;

-- Also found by the look of a foreign key that a worker which is forgotten causes.
CREATE INDEX jobs_worker_idx ON jobs (worker_id) WHERE worker_id IS NOT NULL;
DROP INDEX jobs_running_idx;

-- Workers of the version before claim by this view. They know the first version of plans only, and obey pauses by it.
CREATE OR REPLACE VIEW waiting_jobs AS
SELECT waiting.id, waiting.account_id, waiting.stage,
       row_number() OVER (
           PARTITION BY waiting.stage
           ORDER BY waiting.priority DESC, waiting.turn, turns.last_claimed_at NULLS FIRST, waiting.created_at, waiting.id
       ) AS place
FROM (
    SELECT id, account_id, stage, priority, created_at,
           row_number() OVER (PARTITION BY stage, account_id, priority ORDER BY created_at, id) AS turn
    FROM jobs
    WHERE state = 'queued' AND run_after <= now() AND plan_version = 1
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.stage = jobs.stage OR pauses.account_id = jobs.account_id)
) AS waiting
LEFT JOIN account_turns AS turns ON turns.account_id = waiting.account_id AND turns.stage = waiting.stage;
