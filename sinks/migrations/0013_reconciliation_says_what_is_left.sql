-- Reconciliation: confirmed is only what a mapping says is confirmed, and a run says what it has not seen and what it has
-- left. Sources also have client credentials (OAuth 2.0), whose secret is the organisation's secret of purpose membership.

ALTER TABLE membership_sources
    ADD COLUMN reading jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(reading) = 'object'),
    ADD COLUMN client jsonb CHECK (jsonb_typeof(client) = 'object'),
    ADD COLUMN delta boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN membership_sources.fields IS
    'Our names to theirs (member_id, referral_code, confirmed_at, withdrawn_at, status). Nothing else is read; one that is not given is the column that has our own name.';
COMMENT ON COLUMN membership_sources.statuses IS
    'Their words for a status, in lower case, to ours: confirmed, withdrawn, pending. A word that is not here is unclear, but our own words and those for cancelled.';
COMMENT ON COLUMN membership_sources.reading IS
    'marks: their columns that mark a record as deleted, merged or deactivated, to what that means; times and zone: how times are written; parameter: of the query, where the next page goes.';
COMMENT ON COLUMN membership_sources.client IS
    'OAuth 2.0 client credentials: token_url, client_id, scope. Its secret is in organisation_secrets. NULL: the secret is a bearer token, if there is one.';
COMMENT ON COLUMN membership_sources.delta IS 'The source is asked to track changes (OData), and then for what has changed.';

ALTER TABLE reconciliation_runs
    ADD COLUMN unclear bigint NOT NULL DEFAULT 0,
    ADD COLUMN incomplete text,
    ADD COLUMN rows_left jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(rows_left) = 'array'),
    ADD COLUMN delta_url text,
    ADD COLUMN ask_again_at timestamptz;
COMMENT ON COLUMN reconciliation_runs.unclear IS 'Rows that do not say certainly what the member is: nothing was published.';
COMMENT ON COLUMN reconciliation_runs.incomplete IS
    'Why the source has more than was read, though it did not fail; the next run asks for the same time again. NULL: everything was seen.';
COMMENT ON COLUMN reconciliation_runs.rows_left IS
    'The first rows that were unclear or bad, each as [place, why]; nothing that a row said.';
COMMENT ON COLUMN reconciliation_runs.delta_url IS 'Where what changed since can be asked for: the next run begins there.';
COMMENT ON COLUMN reconciliation_runs.ask_again_at IS 'The source asked not to be asked before.';
COMMENT ON COLUMN reconciliation_runs.bad_rows IS 'Rows that could not be read.';

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'reconciliation_runs'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%members_read = %'
    LOOP
        EXECUTE format('ALTER TABLE reconciliation_runs DROP CONSTRAINT %I', name);
    END LOOP;
END
$$;
ALTER TABLE reconciliation_runs ADD CONSTRAINT every_row_is_counted CHECK (
    members_read = matched + back_filled + withdrawn + superseded + unknown_code + without_code + not_confirmed + repeated
        + unclear + bad_rows
);
