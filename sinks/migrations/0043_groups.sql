-- Lists and the leaderboard of one group of mentors, by index alone. What a group is called stands in mentor_names and nowhere
-- else; here mentors and their milestones have a digest of it, which goes with the name.

LOCK TABLE mentor_names, mentor_standings, milestones IN SHARE ROW EXCLUSIVE MODE;

CREATE FUNCTION group_key_of(group_name text) RETURNS uuid LANGUAGE sql STABLE
RETURN encode(substr(sha256(convert_to(group_name, 'UTF8')), 1, 16), 'hex')::uuid;
COMMENT ON FUNCTION group_key_of IS 'A digest of what a group is called.';

ALTER TABLE mentor_standings ADD COLUMN group_key uuid;
COMMENT ON COLUMN mentor_standings.group_key IS 'A digest of his group; NULL: he has none. Written by triggers of mentor_names.';
ALTER TABLE milestones ADD COLUMN group_key uuid;
COMMENT ON COLUMN milestones.group_key IS 'A digest of the mentor''s group; NULL: he has none. Written by triggers of mentor_names.';

UPDATE mentor_standings
SET group_key = group_key_of(group_name)
FROM mentor_names
WHERE mentor_names.org_id = mentor_standings.org_id AND mentor_names.mentor_id = mentor_standings.mentor_id
    AND group_name IS NOT NULL;
UPDATE milestones
SET group_key = group_key_of(group_name)
FROM mentor_names
WHERE mentor_names.org_id = milestones.org_id AND mentor_names.mentor_id = milestones.mentor_id AND group_name IS NOT NULL;

CREATE INDEX mentor_names_by_group ON mentor_names (org_id, group_name) WHERE group_name IS NOT NULL;
CREATE INDEX mentor_standings_group ON mentor_standings (org_id, group_key, confirmed DESC, mentor_id)
WHERE group_key IS NOT NULL AND is_active;
CREATE INDEX mentor_standings_group_quiet ON mentor_standings (org_id, group_key, quiet_since, mentor_id)
WHERE group_key IS NOT NULL AND NOT has_left;
CREATE INDEX mentor_standings_group_pending ON mentor_standings (org_id, group_key, (pending_days[1]), mentor_id)
WHERE group_key IS NOT NULL AND pending > 0 AND NOT has_left;
CREATE INDEX mentor_standings_group_idle ON mentor_standings (org_id, group_key, idle_clicks, mentor_id)
WHERE group_key IS NOT NULL AND idle_clicks > 0 AND NOT has_left;
CREATE INDEX milestones_of_group ON milestones (org_id, group_key, recorded_at DESC, mentor_id, milestone_threshold)
WHERE group_key IS NOT NULL AND state <> 'awaiting_mentor';
CREATE INDEX milestones_of_group_to_thank ON milestones (
    org_id, group_key, recorded_at DESC, mentor_id, milestone_threshold
) WHERE group_key IS NOT NULL AND state <> 'awaiting_mentor' AND thanked_at IS NULL;

-- Rows are locked as others do: standings under the lock of migration 0006, milestones in the order of their key.
CREATE FUNCTION groups_follow_names() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM changed) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(8242, 6);
    UPDATE mentor_standings
    SET group_key = now_is.group_key
    FROM (
        SELECT changed.org_id, changed.mentor_id, group_key_of(known.group_name) AS group_key
        FROM changed LEFT JOIN mentor_names AS known USING (org_id, mentor_id)
    ) AS now_is
    WHERE mentor_standings.org_id = now_is.org_id AND mentor_standings.mentor_id = now_is.mentor_id
        AND mentor_standings.group_key IS DISTINCT FROM now_is.group_key;
    PERFORM FROM milestones INNER JOIN changed USING (org_id, mentor_id)
    ORDER BY org_id, mentor_id, milestone_threshold
    FOR UPDATE OF milestones;
    UPDATE milestones
    SET group_key = now_is.group_key
    FROM (
        SELECT changed.org_id, changed.mentor_id, group_key_of(known.group_name) AS group_key
        FROM changed LEFT JOIN mentor_names AS known USING (org_id, mentor_id)
    ) AS now_is
    WHERE milestones.org_id = now_is.org_id AND milestones.mentor_id = now_is.mentor_id
        AND milestones.group_key IS DISTINCT FROM now_is.group_key;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION groups_follow_names IS 'Keeps the digests of groups that migration 0043 describes.';
CREATE TRIGGER groups_follow_insert AFTER INSERT ON mentor_names
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION groups_follow_names();
CREATE TRIGGER groups_follow_update AFTER UPDATE ON mentor_names
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION groups_follow_names();
CREATE TRIGGER groups_follow_delete AFTER DELETE ON mentor_names
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION groups_follow_names();

-- A name may be there before what it belongs to.
CREATE FUNCTION begins_in_group() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    NEW.group_key := (
        SELECT group_key_of(group_name) FROM mentor_names WHERE org_id = NEW.org_id AND mentor_id = NEW.mentor_id
    );
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION begins_in_group IS 'Keeps the digests of groups that migration 0043 describes.';
CREATE TRIGGER begins_in_group BEFORE INSERT ON mentor_standings FOR EACH ROW EXECUTE FUNCTION begins_in_group();
CREATE TRIGGER begins_in_group BEFORE INSERT ON milestones FOR EACH ROW EXECUTE FUNCTION begins_in_group();

DO $$
DECLARE
    name regprocedure;
BEGIN
    FOREACH name IN ARRAY ARRAY['groups_follow_names()', 'begins_in_group()']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
