-- What share links have learnt: to stop when their mentor leaves, to be repaired, and that pages have them as pictures.

-- A mentor leaves: his link stops, and nothing else does. The code stays his, with what it has counted, and confirmations
-- that come late still count.

ALTER TABLE referral_codes ADD COLUMN disabled_at timestamptz;
COMMENT ON COLUMN referral_codes.disabled_at IS
    'Since when the share link leads to the neutral page and counts no clicks (`referrals codes disable`); NULL: it works.';

CREATE OR REPLACE FUNCTION landing_of_code(code text) RETURNS TABLE (org_id uuid, landing_url text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT organisations.org_id, organisations.landing_url
    FROM referral_codes INNER JOIN organisations USING (org_id)
    WHERE referral_codes.referral_code = code AND referral_codes.disabled_at IS NULL
$$;
COMMENT ON FUNCTION landing_of_code IS
    'The organisation of a code and where its links lead, for somebody of whom only the code is known; no row: not issued, or disabled.';

-- Bytes are compared, whatever the database's collation: so the index of the primary key does not serve.
CREATE INDEX referral_codes_by_beginning ON referral_codes (referral_code text_pattern_ops);

CREATE FUNCTION codes_that_begin_with(beginning text) RETURNS TABLE (referral_code text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT issued.referral_code
    FROM referral_codes AS issued
    WHERE issued.referral_code ~>=~ beginning AND issued.referral_code ~<~ (beginning || '~')  -- after every letter
    LIMIT 2
$$;
COMMENT ON FUNCTION codes_that_begin_with IS
    'Two at most of the codes that begin so, disabled ones too: whether a damaged link can mean only one.';

DO $$
DECLARE
    name regprocedure;
BEGIN
    FOREACH name IN ARRAY ARRAY['landing_of_code(text)', 'codes_that_begin_with(text)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;

ALTER TABLE filtered_clicks DROP CONSTRAINT filtered_clicks_reason_check;
ALTER TABLE filtered_clicks ADD CONSTRAINT filtered_clicks_reason_check
CHECK (reason IN ('preview', 'robot', 'prefetch', 'no_agent', 'embedded'));
COMMENT ON COLUMN filtered_clicks.reason IS
    'preview: a messenger or network shows what is behind a link. robot: another program. prefetch: a browser has fetched ahead. no_agent: the request did not say what it came from. embedded: a page has the link as a picture, a frame or the like.';
