-- A worker whose clock is decades ahead counts now all the same: since this version `referrals counts` writes no later time
-- than its own. What was written before is put right here, and sums let go of a time that has not come yet.

DO $migration$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
        EXECUTE replace(
            pg_get_functiondef(format('sum_mentor_counts_on_%s', name)::regproc),
            'greatest(known.updated_at, excluded.updated_at)',
            'greatest(least(known.updated_at, now()), excluded.updated_at)'
        );
    END LOOP;
END
$migration$;

UPDATE mentor_counts SET counted_at = now() WHERE counted_at > now();
UPDATE organisation_counts SET updated_at = now() WHERE updated_at > now();

-- What was counted on days that have not come was counted until today.
WITH early AS (
    DELETE FROM organisation_days WHERE day > (now() AT TIME ZONE 'UTC')::date
    RETURNING org_id, clicks, pending, confirmed
)
INSERT INTO organisation_days AS known (org_id, day, clicks, pending, confirmed)
SELECT org_id, (now() AT TIME ZONE 'UTC')::date, sum(clicks), sum(pending), sum(confirmed) FROM early GROUP BY org_id
ON CONFLICT (org_id, day) DO UPDATE
SET
    clicks = known.clicks + excluded.clicks,
    pending = known.pending + excluded.pending,
    confirmed = known.confirmed + excluded.confirmed;
