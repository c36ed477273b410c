-- Analysts: logins of people who ask the tables themselves, each of the organisations that were granted to it and of no
-- others. `referrals db grant-analyst` writes the grants; sinks/roles.sql makes the role referrals_analyst and its policies.
--
-- Who was granted nothing is told so. Row-level security alone would show such a login empty tables, which look like a
-- programme in which nothing has happened.

CREATE TABLE analysts (
    login name NOT NULL,
    org_id uuid,
    granted_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX analysts_of_an_organisation ON analysts (login, org_id) WHERE org_id IS NOT NULL;
CREATE UNIQUE INDEX analysts_of_every_organisation ON analysts (login) WHERE org_id IS NULL;
COMMENT ON TABLE analysts IS 'Whose rows an analyst''s login sees. Written by `referrals db grant-analyst` and `revoke-analyst`.';
COMMENT ON COLUMN analysts.login IS 'The login, as `session_user` has it.';
COMMENT ON COLUMN analysts.org_id IS 'NULL: every organisation, those to come as well.';
COMMENT ON COLUMN analysts.granted_at IS 'When it was granted.';

-- Run once for a statement, not once for a row: policies ask for it in a subquery of its own. It asks who has logged in,
-- which SET ROLE does not change.
CREATE FUNCTION analyst_organisations() RETURNS uuid[] LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM analysts WHERE login = session_user AND org_id IS NULL) THEN
        RETURN ARRAY(SELECT org_id FROM organisations);
    ELSIF NOT EXISTS (SELECT FROM analysts WHERE login = session_user) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('no organisation is granted to the analyst %s', session_user),
            HINT = format('let an operator run: referrals db grant-analyst %s --org ORG', session_user);
    END IF;
    RETURN ARRAY(SELECT org_id FROM analysts WHERE login = session_user);
END
$$;
COMMENT ON FUNCTION analyst_organisations IS 'The organisations that are granted to whoever has logged in; an error where none is.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION analyst_organisations() SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION analyst_organisations() FROM PUBLIC;
    ALTER TABLE analysts ENABLE ROW LEVEL SECURITY;
    ALTER TABLE analysts FORCE ROW LEVEL SECURITY;
    CREATE POLICY own_organisation ON analysts USING (org_id = current_org_id());
    CREATE POLICY owner_sees_all ON analysts TO CURRENT_USER USING (true);
END
$$;
