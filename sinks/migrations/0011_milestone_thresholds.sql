-- At which counts milestones are announced (REFERRALS_THRESHOLDS), so that no badge is promised that no milestone will
-- bring: a recruitment badge is defined for one of these, or refused. Definitions from before stay; the badge consumer
-- names those that do not fit when it starts.

CREATE TABLE milestone_thresholds (
    org_id uuid CHECK (org_id IS NULL),
    threshold bigint PRIMARY KEY CHECK (threshold > 0)
);
COMMENT ON TABLE milestone_thresholds IS
    'Confirmed registrations at which milestones are announced: REFERRALS_THRESHOLDS, as `referrals db migrate` and `referrals badges` knew it last.';
COMMENT ON COLUMN milestone_thresholds.org_id IS 'NULL: thresholds are every organisation''s.';

INSERT INTO milestone_thresholds (threshold) VALUES (1), (5), (10), (25);

ALTER TABLE milestone_thresholds ENABLE ROW LEVEL SECURITY;
ALTER TABLE milestone_thresholds FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON milestone_thresholds
USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id());
CREATE POLICY every_organisation ON milestone_thresholds FOR SELECT USING (org_id IS NULL);

CREATE FUNCTION milestone_for(badge_threshold integer) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT min(threshold) FROM milestone_thresholds WHERE threshold >= badge_threshold);
COMMENT ON FUNCTION milestone_for IS
    'The count at which a milestone brings a badge of this threshold; NULL: none does.';

CREATE FUNCTION refuse_badge_never_announced() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    announced bigint[] := ARRAY(SELECT threshold FROM milestone_thresholds ORDER BY threshold);
BEGIN
    IF NEW.type = 'recruitment' AND NEW.threshold <> ALL (announced) THEN
        RAISE check_violation USING
            MESSAGE = format(
                'badge %L needs %s confirmed registrations, and no milestone is announced at %2$s',
                NEW.name, NEW.threshold
            ),
            HINT = format(
                'Milestones are announced at %s: take one of these, or set REFERRALS_THRESHOLDS=%s for every component, start them again, and run `referrals db migrate`.',
                array_to_string(announced, ', '),
                array_to_string(ARRAY(SELECT unnest(announced || NEW.threshold) ORDER BY 1), ',')
            ),
            TABLE = 'badge_definitions',
            COLUMN = 'threshold';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_badge_never_announced IS
    'Refuses a recruitment badge at a count at which no milestone is announced. Security definer: who may define a badge need not be able to read the thresholds.';

CREATE TRIGGER definitions_are_announced
BEFORE INSERT OR UPDATE OF type, threshold ON badge_definitions
FOR EACH ROW EXECUTE FUNCTION refuse_badge_never_announced();

DO $$
BEGIN
    EXECUTE 'CREATE POLICY owner_sees_all ON milestone_thresholds TO CURRENT_USER USING (true) WITH CHECK (true)';
    EXECUTE format('ALTER FUNCTION refuse_badge_never_announced() SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION refuse_badge_never_announced() FROM PUBLIC;
END
$$;
