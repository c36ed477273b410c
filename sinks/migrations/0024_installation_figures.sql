-- What an operator is shown of the whole installation: how long the outbox is, and how reconciliation goes. It crosses
-- organisations, and names none.

CREATE FUNCTION outbox_figures() RETURNS TABLE (codes bigint, oldest_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT count(*), min(issued_at) FROM codes_outbox
$$;
COMMENT ON FUNCTION outbox_figures IS 'How many codes wait to be published, and when the oldest of them was issued.';

CREATE FUNCTION reconciliation_figures()
RETURNS TABLE (run_every interval, configured_at timestamptz, succeeded_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT source.run_every, source.configured_at, (
        SELECT max(run.finished_at) FROM reconciliation_runs AS run
        WHERE run.org_id = source.org_id AND run.source <> 'file' AND run.finished_at IS NOT NULL
            AND run.error IS NULL AND run.incomplete IS NULL
    )
    FROM membership_sources AS source
$$;
COMMENT ON FUNCTION reconciliation_figures IS
    'For each organisation that has a membership source, without saying which it is: its own interval, since when it has the source, and when a run last saw everything; NULL: none has.';

DO $$
DECLARE
    name regprocedure;
BEGIN
    FOREACH name IN ARRAY ARRAY['outbox_figures()', 'reconciliation_figures()']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
