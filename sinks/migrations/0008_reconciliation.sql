-- Reconciliation: where an organisation's membership system is, and what each run of `referrals reconcile` found. The
-- token that opens the membership system is a secret of the organisation (organisation_secrets, purpose membership).

CREATE TABLE membership_sources (
    org_id uuid PRIMARY KEY REFERENCES organisations,
    kind text NOT NULL CHECK (kind IN ('json', 'odata', 'csv')),
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 4000),
    fields jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(fields) = 'object'),
    statuses jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(statuses) = 'object'),
    overlap interval NOT NULL DEFAULT '1 day' CHECK (overlap >= '0'),
    configured_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE membership_sources IS
    'Where an organisation''s members are listed. Written by `referrals reconcile configure` as the tables'' owner: whoever could change url would be sent the token.';
COMMENT ON COLUMN membership_sources.kind IS
    'json: a list, or an object with one and a link to the next page; odata: value and @odata.nextLink; csv: a file with a header.';
COMMENT ON COLUMN membership_sources.url IS
    'https address, or http on loopback, or for csv an absolute path; {since} in it becomes the time from which on members are asked for.';
COMMENT ON COLUMN membership_sources.fields IS
    'Our names to theirs (member_id, referral_code, confirmed_at, withdrawn_at, status), where the usual ones do not do.';
COMMENT ON COLUMN membership_sources.statuses IS
    'Their words for a status, in lower case, to ours: confirmed, withdrawn, pending; beside the usual ones.';
COMMENT ON COLUMN membership_sources.overlap IS
    'How far before the last run the next one asks again, because members are entered late and clocks differ.';
COMMENT ON COLUMN membership_sources.configured_at IS
    'Runs that began earlier asked another source: after a change everything is read again from the beginning.';

CREATE TABLE reconciliation_runs (
    org_id uuid NOT NULL,
    run_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('json', 'odata', 'csv', 'file')),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    since timestamptz,
    until timestamptz,
    cursor text,
    members_read bigint NOT NULL DEFAULT 0,
    matched bigint NOT NULL DEFAULT 0,
    back_filled bigint NOT NULL DEFAULT 0,
    withdrawn bigint NOT NULL DEFAULT 0,
    superseded bigint NOT NULL DEFAULT 0,
    unknown_code bigint NOT NULL DEFAULT 0,
    without_code bigint NOT NULL DEFAULT 0,
    not_confirmed bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    bad_rows bigint NOT NULL DEFAULT 0,
    error text,
    PRIMARY KEY (org_id, run_id),
    CHECK (members_read = matched + back_filled + withdrawn + superseded + unknown_code + without_code + not_confirmed
        + repeated + bad_rows)
);
CREATE INDEX reconciliation_runs_latest ON reconciliation_runs (org_id, started_at DESC);
COMMENT ON TABLE reconciliation_runs IS
    'What each run found: every member that was read is in one of the counts. No member is named. Written by `referrals reconcile`.';
COMMENT ON COLUMN reconciliation_runs.source IS 'The kind of the configured source; file: a CSV named on the command line.';
COMMENT ON COLUMN reconciliation_runs.finished_at IS
    'NULL: runs now, or ended before its end (killed, or error says why); the next run goes on from cursor.';
COMMENT ON COLUMN reconciliation_runs.since IS 'Members from then on were asked for; NULL: all.';
COMMENT ON COLUMN reconciliation_runs.until IS
    'Members up to then are covered, so the next run begins here, less the overlap; NULL: covers no time (source file).';
COMMENT ON COLUMN reconciliation_runs.cursor IS 'Address of the first page that is not settled yet, as the membership system gave it; NULL: the first of all, or none.';
COMMENT ON COLUMN reconciliation_runs.matched IS 'Their state is in the registrations topic.';
COMMENT ON COLUMN reconciliation_runs.back_filled IS 'Their confirmation never came and was published.';
COMMENT ON COLUMN reconciliation_runs.withdrawn IS 'Their withdrawal never came and was published.';
COMMENT ON COLUMN reconciliation_runs.superseded IS 'The topic has the other state, from a later time.';
COMMENT ON COLUMN reconciliation_runs.unknown_code IS 'The code was not issued in this organisation.';
COMMENT ON COLUMN reconciliation_runs.without_code IS 'They came without a referral.';
COMMENT ON COLUMN reconciliation_runs.not_confirmed IS 'Neither confirmed nor withdrawn yet.';
COMMENT ON COLUMN reconciliation_runs.repeated IS 'The same member and code were named more than once; the latest word counts.';
COMMENT ON COLUMN reconciliation_runs.bad_rows IS 'Rows that could not be read.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['membership_sources', 'reconciliation_runs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_organisation ON %I USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id())',
            name
        );
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;

-- What crosses organisations, and no more: whose members there are to be asked for.
CREATE FUNCTION organisations_to_reconcile() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT org_id FROM membership_sources ORDER BY org_id
$$;
COMMENT ON FUNCTION organisations_to_reconcile IS 'The organisations that have a membership source.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION organisations_to_reconcile() SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION organisations_to_reconcile() FROM PUBLIC;
END
$$;
