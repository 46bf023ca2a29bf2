-- As an event without a number: of the account, or of none, which is to move the queue of all.
SELECT pg_notify('varloom_events', json_build_object(
    'account', coalesce(%(account_id)s::uuid, '00000000-0000-0000-0000-000000000000'), 'event', 0, 'job', NULL)::text)
