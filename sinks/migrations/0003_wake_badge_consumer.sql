-- What makes waiting milestones move without a person: NOTIFY wakes the badge consumers, and a definition that comes
-- or changes puts every milestone recorded before it up again, in the transaction that defines it.
--
-- The advisory lock (8242, 1) closes the gap between the two: a batch of milestones holds it shared until it has
-- committed, so a definition waits for batches that did not see it, and batches after it do see it.

CREATE FUNCTION wake_badge_consumer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY referrals_badges;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION wake_badge_consumer IS 'Tells listening badge consumers that mentors or definitions came.';

CREATE FUNCTION compare_milestones_again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(8242, 1);
    UPDATE milestones
    SET state = 'due'
    WHERE state = 'decided' AND (NEW.org_id IS NULL OR milestones.org_id = NEW.org_id);
    NOTIFY referrals_badges;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION compare_milestones_again IS
    'Puts the recorded milestones of a definition''s organisation up for comparison. Security definer: who may define a badge need not be able to write milestones.';

CREATE TRIGGER mentors_wake_badge_consumer
AFTER INSERT ON mentors
FOR EACH STATEMENT EXECUTE FUNCTION wake_badge_consumer();

CREATE TRIGGER definitions_compare_milestones_again
AFTER INSERT OR UPDATE OF org_id, type, threshold ON badge_definitions
FOR EACH ROW EXECUTE FUNCTION compare_milestones_again();
