-- Badges that an organisation's administrator makes: with a picture of those that we ship, and a switch. One that is off is
-- awarded to nobody any more; who holds it keeps it. Who made and changed them stands in badge_changes.

ALTER TABLE badge_definitions
ADD COLUMN picture text NOT NULL DEFAULT 'medal' CHECK (
    picture IN ('medal', 'star', 'trophy', 'rocket', 'heart', 'sprout', 'mountain', 'crown')
),
ADD COLUMN off_since timestamptz;
COMMENT ON COLUMN badge_definitions.picture IS
    'One of the pictures that the pages have; none is uploaded, so none has to be trusted.';
COMMENT ON COLUMN badge_definitions.off_since IS
    'Since when nobody is awarded it; awards that were made stay. NULL: it can be earned.';
CREATE INDEX badge_definitions_of_organisation ON badge_definitions (org_id);

CREATE TABLE badge_changes (
    org_id uuid NOT NULL,
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    badge_id uuid NOT NULL,
    change text NOT NULL CHECK (change IN ('made', 'changed', 'switched_off', 'switched_on', 'back_filled')),
    changed_by text NOT NULL CHECK (length(changed_by) BETWEEN 1 AND 255),
    changed_at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    threshold integer NOT NULL,
    picture text NOT NULL,
    awarded bigint,
    PRIMARY KEY (org_id, change_id)
);
CREATE INDEX badge_changes_of_badge ON badge_changes (org_id, badge_id, change_id);
COMMENT ON TABLE badge_changes IS
    'Audit: who made, changed, switched and back-filled which badge, and how it was called then. Only added to. Written by `referrals web` and `referrals badges define`, `switch`, `back-fill`.';
COMMENT ON COLUMN badge_changes.changed_by IS
    'The subject of the session or token; `operator` of who did it at the command line.';
COMMENT ON COLUMN badge_changes.awarded IS 'How many were awarded it by a back-fill; NULL: it was none.';

ALTER TABLE badge_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE badge_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON badge_changes
USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id());

-- One that is switched off waits for batches that saw it on (the lock of migration 0003), and puts nothing up again: nothing is
-- awarded by it. Switched on again it does, so that who has reached it meanwhile has it.
CREATE OR REPLACE FUNCTION compare_milestones_again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(8242, 1);
    IF NEW.off_since IS NULL THEN
        UPDATE milestones
        SET state = 'due'
        WHERE state = 'decided' AND (NEW.org_id IS NULL OR milestones.org_id = NEW.org_id);
        NOTIFY referrals_badges;
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER definitions_compare_milestones_again ON badge_definitions;
CREATE TRIGGER definitions_compare_milestones_again
AFTER INSERT OR UPDATE OF org_id, type, threshold, off_since ON badge_definitions
FOR EACH ROW EXECUTE FUNCTION compare_milestones_again();

DO $$
BEGIN
    EXECUTE 'CREATE POLICY owner_sees_all ON badge_changes TO CURRENT_USER USING (true) WITH CHECK (true)';
    EXECUTE format('ALTER FUNCTION compare_milestones_again() SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION compare_milestones_again() FROM PUBLIC;
END
$$;
