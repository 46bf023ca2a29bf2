-- What the living workers with slots for secondary analysis have for it.
SELECT engines, serves FROM workers
WHERE stopped_at IS NULL AND (slots ->> 'process')::int > 0 ORDER BY started_at, id
