WITH taken AS (
    DELETE FROM endings RETURNING what, stage, outcome, code, seconds
), totals AS (
    INSERT INTO ending_totals (what, stage, outcome, code, endings, seconds)
    SELECT what, stage, outcome, code, count(*), sum(seconds) FROM taken GROUP BY what, stage, outcome, code
    ON CONFLICT (what, stage, outcome, code) DO UPDATE
    SET endings = ending_totals.endings + excluded.endings, seconds = ending_totals.seconds + excluded.seconds
)
INSERT INTO duration_totals (what, stage, at_most, endings)
SELECT what, CASE WHEN what = 'job' THEN '' ELSE stage END, bound, count(*)
FROM taken, LATERAL (
    SELECT coalesce(min(bound), 'infinity') AS bound FROM unnest(%(bounds)s::double precision[]) AS bound
    WHERE bound >= seconds
) AS its
WHERE outcome IN ('succeeded', 'completed')
GROUP BY what, CASE WHEN what = 'job' THEN '' ELSE stage END, bound
ON CONFLICT (what, stage, at_most) DO UPDATE SET endings = duration_totals.endings + excluded.endings
