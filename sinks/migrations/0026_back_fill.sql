-- A badge for those who had reached it before it could be announced to them: the back-fill. The badge consumer awards by
-- milestones, and a threshold that was added is announced with a mentor's next confirmation (rule 7), so who is past it would
-- wait for one. Who would get it and who gets it are one function, so that a preview shows what comes.
--
-- Both may award at once: an award is its organisation, mentor and badge, whoever is second finds it there, and the audit
-- says `awarded` once.

ALTER TABLE badge_awards ADD COLUMN back_filled boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN badge_awards.back_filled IS
    'Awarded by a back-fill and not by the badge consumer: the milestone may be announced later, with the next confirmation.';
COMMENT ON COLUMN badge_awards.confirmed_count IS
    'The milestone''s confirmed count; where it was not announced yet, what was confirmed when it was awarded.';

CREATE FUNCTION mentors_due(badge_threshold bigint, badge uuid) RETURNS TABLE (
    mentor_id uuid, milestone_threshold bigint, milestone_id uuid, confirmed_count bigint
) LANGUAGE sql STABLE AS $$
    WITH recorded AS MATERIALIZED (
        SELECT DISTINCT ON (mentor_id) mentor_id, milestone_threshold, milestone_id, confirmed_count
        FROM milestones
        WHERE org_id = current_org_id() AND confirmed_count >= badge_threshold
        ORDER BY mentor_id, milestone_threshold
    ),
    reached AS (
        SELECT mentor_id, milestone_threshold, milestone_id, confirmed_count FROM recorded
        UNION ALL
        SELECT mentor_id, badge_threshold, NULL, confirmed_attributions
        FROM mentor_counts
        WHERE
            org_id = current_org_id()
            AND confirmed_attributions >= badge_threshold
            AND NOT EXISTS (SELECT FROM recorded WHERE recorded.mentor_id = mentor_counts.mentor_id)
    )
    SELECT mentor_id, milestone_threshold, milestone_id, confirmed_count
    FROM reached
    INNER JOIN mentors USING (mentor_id)
    WHERE
        mentors.org_id = current_org_id()
        AND NOT EXISTS (
            SELECT FROM badge_awards
            WHERE
                badge_awards.org_id = current_org_id()
                AND badge_awards.mentor_id = reached.mentor_id
                AND badge_awards.badge_id = badge
        )
$$;
COMMENT ON FUNCTION mentors_due IS
    'Mentors of the organisation that the transaction acts for who have reached so many confirmed registrations, by a milestone or by their counts, and do not hold the badge (NULL: one that is not made yet). milestone_id is NULL where no such milestone was recorded.';

CREATE FUNCTION award_reached(badge uuid, counted_mentors uuid[], counted_milestones uuid[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    definition record;
    awards bigint;
BEGIN
    SELECT badge_id, threshold INTO definition
    FROM badge_definitions
    WHERE badge_id = badge AND type = 'recruitment' AND off_since IS NULL AND (org_id IS NULL OR org_id = current_org_id())
    FOR SHARE;
    IF NOT FOUND OR current_org_id() IS NULL THEN
        RETURN NULL;
    END IF;
    WITH due AS MATERIALIZED (
        SELECT
            found.mentor_id,
            found.milestone_threshold,
            coalesce(found.milestone_id, counted.milestone_id) AS milestone_id,
            found.confirmed_count
        FROM mentors_due(definition.threshold, badge) AS found
        LEFT JOIN unnest(counted_mentors, counted_milestones) AS counted (mentor_id, milestone_id) USING (mentor_id)
        WHERE coalesce(found.milestone_id, counted.milestone_id) IS NOT NULL
    ),
    awarded AS (
        INSERT INTO badge_awards (org_id, mentor_id, badge_id, milestone_id, confirmed_count, back_filled)
        SELECT current_org_id(), mentor_id, badge, milestone_id, confirmed_count, true
        FROM due
        ORDER BY mentor_id
        ON CONFLICT DO NOTHING
        RETURNING mentor_id
    ),
    decided AS (
        INSERT INTO badge_decisions AS known (
            org_id, mentor_id, milestone_threshold, milestone_id, badge_id, reason, confirmed_count
        )
        SELECT current_org_id(), mentor_id, milestone_threshold, milestone_id, badge, 'awarded', confirmed_count
        FROM due
        INNER JOIN awarded USING (mentor_id)
        ORDER BY mentor_id
        ON CONFLICT (org_id, mentor_id, milestone_threshold, badge_id) DO UPDATE
        SET reason = excluded.reason, decided_at = now()
        WHERE known.reason NOT IN ('awarded', 'already_held')
    )
    SELECT count(*) INTO awards FROM awarded;
    RETURN awards;
END
$$;
COMMENT ON FUNCTION award_reached IS
    'Awards a badge to every mentor of the organisation that the transaction acts for who has reached it and does not hold it, and returns how many that were; NULL: the organisation has no such badge, or it is off. Of those whose milestone is not recorded only the ones given, each with the milestone''s id, a UUIDv5 that is made outside. Security definer: who may make a badge awards it to nobody who has not reached it.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION award_reached(uuid, uuid[], uuid[]) SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION award_reached(uuid, uuid[], uuid[]) FROM PUBLIC;
END
$$;
