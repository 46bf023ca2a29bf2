-- The order in which waiting jobs get a slot of their stage. The claim takes the first and the queue position counts the
-- rows before one, so that what is shown is what happens: by priority, then in turns between the accounts (the one that
-- was served longest ago first), then the oldest first.
CREATE VIEW waiting_jobs AS
SELECT waiting.id, waiting.account_id, waiting.stage,
       row_number() OVER (
           PARTITION BY waiting.stage
           ORDER BY waiting.priority DESC, waiting.turn, turns.last_claimed_at NULLS FIRST, waiting.created_at, waiting.id
       ) AS place
FROM (
    SELECT id, account_id, stage, priority, created_at,
           row_number() OVER (PARTITION BY stage, account_id, priority ORDER BY created_at, id) AS turn
    FROM jobs
    WHERE state = 'queued' AND run_after <= now()
) AS waiting
LEFT JOIN account_turns AS turns ON turns.account_id = waiting.account_id AND turns.stage = waiting.stage;
