-- Reconciliation: an organisation may be reconciled more often, or more seldom, than the leader's crontab says.

ALTER TABLE membership_sources ADD COLUMN run_every interval CHECK (run_every >= '1 minute');
COMMENT ON COLUMN membership_sources.run_every IS
    'The leader of the stream workers reconciles it so long after its last run began; NULL: at REFERRALS_RECONCILE_AT.';

ALTER TABLE reconciliation_runs ADD COLUMN begun_at timestamptz;
UPDATE reconciliation_runs SET begun_at = started_at;
ALTER TABLE reconciliation_runs
    ALTER COLUMN begun_at SET DEFAULT clock_timestamp(),
    ALTER COLUMN begun_at SET NOT NULL;
COMMENT ON COLUMN reconciliation_runs.begun_at IS
    'When a process last began it or went on with it; started_at is when the first one began it.';

-- What crosses organisations, and no more: whose time has come, and when that of others does.
CREATE FUNCTION reconciliation_schedule()
    RETURNS TABLE (org_id uuid, run_every interval, last_at timestamptz, due_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT source.org_id, source.run_every, run.begun_at,
        CASE
            WHEN run.finished_at IS NULL AND run.ask_again_at IS NOT NULL THEN run.ask_again_at
            WHEN source.run_every IS NULL THEN NULL
            ELSE coalesce(run.begun_at + source.run_every, source.configured_at)
        END
    FROM membership_sources AS source
    LEFT JOIN LATERAL (
        SELECT each.begun_at, each.finished_at, each.ask_again_at FROM reconciliation_runs AS each
        WHERE each.org_id = source.org_id AND each.source <> 'file' AND each.begun_at >= source.configured_at
        ORDER BY each.begun_at DESC LIMIT 1
    ) AS run ON true
    ORDER BY source.org_id
$$;
COMMENT ON FUNCTION reconciliation_schedule IS
    'Of each organisation that has a membership source: its own interval, when it was last reconciled, and when it is due; due_at NULL: at REFERRALS_RECONCILE_AT.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION reconciliation_schedule() SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION reconciliation_schedule() FROM PUBLIC;
END
$$;
