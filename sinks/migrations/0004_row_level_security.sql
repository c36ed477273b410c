-- Row-level security, forced: a role sees the rows of the organisation that its transaction has set, for example by
-- SET LOCAL referrals.org_id = '6f1c...'; and none while it has set nothing. Forced means that the owner is held to
-- policies too; his own policy lets him see everything, because the sinks and `referrals verify` work across
-- organisations. The roles referrals_app and referrals_sinks are made by sinks/roles.sql, with each `db migrate`.

CREATE FUNCTION current_org_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('referrals.org_id', true), '')::uuid;
COMMENT ON FUNCTION current_org_id IS 'The organisation that this transaction acts for; NULL: none.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'organisations', 'mentors', 'referral_codes', 'milestones', 'badge_awards', 'badge_decisions', 'mentor_counts'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_organisation ON %I USING (org_id = current_org_id())', name);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true)', name);
    END LOOP;
END
$$;

-- Definitions without an organisation are for everybody to read, and for nobody but the owner to change.
ALTER TABLE badge_definitions ENABLE ROW LEVEL SECURITY;
ALTER TABLE badge_definitions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON badge_definitions USING (org_id = current_org_id());
CREATE POLICY every_organisation ON badge_definitions FOR SELECT USING (org_id IS NULL);
CREATE POLICY owner_sees_all ON badge_definitions TO CURRENT_USER USING (true);
