-- compatible from: 0004
-- Which engines of secondary analysis a worker has, and what the waiting jobs of reads need of it.

ALTER TABLE workers
    ADD COLUMN engines jsonb NOT NULL DEFAULT '[]',  -- [{"name", "version", "callers", "reason"}]; reason: why it cannot run
    ADD COLUMN serves text[];                        -- the needs that it meets; null: it does not tell, and takes any job

-- What a job needs of the worker that takes it for a stage; empty: nothing that not all workers have. For reads it is the
-- engine and the caller that were chosen, `ENGINE:CALLER`, where either may be left open: `auto:`, `parabricks:deepvariant`.
-- The same as `varloom.jobs.needs.needed_for`.
CREATE FUNCTION needed_for(stage text, options jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN stage = 'process' AND options ->> 'reads' = 'true'
        THEN coalesce(nullif(options ->> 'engine', ''), 'auto') || ':' || coalesce(options ->> 'caller', '')
        ELSE '' END
$$;
