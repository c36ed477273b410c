-- Where each mentor stands, as whoever helps and thanks them asks: one row for each, kept by triggers, so that a list of some of
-- 100,000 is a range of an index. A row changes when what the lists are sorted by does: of clicks that is the first of a day,
-- and every one only while nobody has registered.
--
-- Triggers see a whole statement at once, and the rows of mentor_counts are written under the advisory lock of migration 0006.

LOCK TABLE referral_codes, mentor_counts, milestones IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE mentor_standings (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    quiet_since date NOT NULL,
    is_active boolean NOT NULL,
    idle_clicks bigint NOT NULL,
    pending bigint NOT NULL,
    confirmed bigint NOT NULL,
    pending_days date[] NOT NULL,
    has_left boolean NOT NULL DEFAULT false,
    PRIMARY KEY (org_id, mentor_id)
) WITH (fillfactor = 80);
CREATE INDEX mentor_standings_quiet ON mentor_standings (org_id, quiet_since, mentor_id) WHERE NOT has_left;
CREATE INDEX mentor_standings_pending ON mentor_standings (org_id, (pending_days[1]), mentor_id)
WHERE pending > 0 AND NOT has_left;
CREATE INDEX mentor_standings_idle ON mentor_standings (org_id, idle_clicks, mentor_id)
WHERE idle_clicks > 0 AND NOT has_left;
COMMENT ON TABLE mentor_standings IS
    'Where each mentor stands: made with his code or his first counts. Written by triggers of referral_codes and mentor_counts.';
COMMENT ON COLUMN mentor_standings.quiet_since IS
    'The day, in UTC, on which something of his was counted last; where nothing was, that on which his code was issued.';
COMMENT ON COLUMN mentor_standings.is_active IS 'Whether he has had a click or a registration.';
COMMENT ON COLUMN mentor_standings.idle_clicks IS 'His clicks while he has no registration, pending or confirmed; else 0.';
COMMENT ON COLUMN mentor_standings.pending_days IS
    'The days, in UTC, on which his pending registrations were counted, the oldest first, 200 at most. Which of them was confirmed or withdrawn is not known here: the oldest are taken to have gone first, so none is called older than it is.';
COMMENT ON COLUMN mentor_standings.has_left IS 'Whether his link is disabled: he is in no list then.';

CREATE TABLE organisation_confirmed (
    org_id uuid NOT NULL,
    confirmed bigint NOT NULL,
    mentors bigint NOT NULL,
    PRIMARY KEY (org_id, confirmed)
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_confirmed IS
    'How many mentors of each organisation have so many confirmed registrations; what a rank is counted from. Written by triggers of mentor_counts.';

CREATE TABLE mentor_days (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    day date NOT NULL,
    pending bigint NOT NULL,
    confirmed bigint NOT NULL,
    PRIMARY KEY (org_id, mentor_id, day)
) WITH (fillfactor = 80);
COMMENT ON TABLE mentor_days IS
    'By how much the registrations of each mentor changed on each day, in UTC, on which they did; without clicks, of which there are far more. Written by triggers of mentor_standings.';

CREATE FUNCTION pending_days_after(days date[], was bigint, confirmed_more bigint, pending bigint, today date)
RETURNS date[] LANGUAGE sql IMMUTABLE
RETURN (
    SELECT kept || array_fill(today, ARRAY[greatest(most - cardinality(kept), 0)])
    FROM (
        SELECT (days[(1 + least(was, greatest(confirmed_more, was - pending, 0))::integer):])[1:most] AS kept, most
        FROM (SELECT least(pending, 200)::integer AS most) AS bounded
    ) AS rest
);
COMMENT ON FUNCTION pending_days_after IS
    'The days of pending registrations after a change: the oldest have gone, what is new came today.';

INSERT INTO mentor_standings (
    org_id, mentor_id, quiet_since, is_active, idle_clicks, pending, confirmed, pending_days, has_left
)
SELECT
    org_id,
    mentor_id,
    (coalesce(counted_at, issued_at, now()) AT TIME ZONE 'UTC')::date,
    coalesce(total_clicks <> 0 OR pending_attributions <> 0 OR confirmed_attributions <> 0, false),
    CASE WHEN pending_attributions = 0 AND confirmed_attributions = 0 THEN total_clicks ELSE 0 END,
    coalesce(pending_attributions, 0),
    coalesce(confirmed_attributions, 0),
    CASE
        WHEN pending_attributions > 0 THEN pending_days_after(
            '{}', 0, 0, pending_attributions, (counted_at AT TIME ZONE 'UTC')::date
        )
        ELSE '{}'
    END,
    disabled_at IS NOT NULL
FROM referral_codes FULL OUTER JOIN mentor_counts USING (org_id, mentor_id);

INSERT INTO organisation_confirmed
SELECT org_id, confirmed_attributions, count(*) FROM mentor_counts GROUP BY 1, 2;

INSERT INTO mentor_days
SELECT org_id, mentor_id, quiet_since, pending, confirmed FROM mentor_standings WHERE pending <> 0 OR confirmed <> 0;

-- Who was thanked, of the milestones that were reached.
ALTER TABLE milestones ADD COLUMN thanked_at timestamptz;
COMMENT ON COLUMN milestones.thanked_at IS 'When a coordinator marked him as thanked for it; NULL: nobody has.';
CREATE INDEX milestones_to_thank ON milestones (org_id, recorded_at DESC, mentor_id, milestone_threshold)
WHERE state <> 'awaiting_mentor' AND thanked_at IS NULL;

CREATE FUNCTION stand_by_codes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO mentor_standings AS known (
        org_id, mentor_id, quiet_since, is_active, idle_clicks, pending, confirmed, pending_days, has_left
    )
    SELECT org_id, mentor_id, (issued_at AT TIME ZONE 'UTC')::date, false, 0, 0, 0, '{}', disabled_at IS NOT NULL
    FROM new_rows
    ORDER BY org_id, mentor_id
    ON CONFLICT (org_id, mentor_id) DO UPDATE SET has_left = excluded.has_left
    WHERE known.has_left <> excluded.has_left;
    RETURN NULL;
END
$$;
CREATE TRIGGER stand_on_insert AFTER INSERT ON referral_codes
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION stand_by_codes();
CREATE TRIGGER stand_on_update AFTER UPDATE ON referral_codes
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION stand_by_codes();

CREATE FUNCTION note_day_of_mentor() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    pending_more bigint := NEW.pending;
    confirmed_more bigint := NEW.confirmed;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        pending_more := pending_more - OLD.pending;
        confirmed_more := confirmed_more - OLD.confirmed;
    END IF;
    INSERT INTO mentor_days AS known (org_id, mentor_id, day, pending, confirmed)
    VALUES (NEW.org_id, NEW.mentor_id, NEW.quiet_since, pending_more, confirmed_more)
    ON CONFLICT (org_id, mentor_id, day) DO UPDATE
    SET pending = known.pending + excluded.pending, confirmed = known.confirmed + excluded.confirmed;
    RETURN NULL;
END
$$;
CREATE TRIGGER day_noted_on_insert AFTER INSERT ON mentor_standings
FOR EACH ROW WHEN (NEW.pending <> 0 OR NEW.confirmed <> 0) EXECUTE FUNCTION note_day_of_mentor();
CREATE TRIGGER day_noted_on_update AFTER UPDATE ON mentor_standings
FOR EACH ROW WHEN (NEW.pending <> OLD.pending OR NEW.confirmed <> OLD.confirmed) EXECUTE FUNCTION note_day_of_mentor();

-- As in migration 0006: a function for each event, because each has other transition tables. Of rows that are deleted nothing
-- is left; the mentor stands as one who has had nothing.
DO $migration$
DECLARE
    event text;
    changed text;
    counted text;
    tables text;
    name text;
BEGIN
    FOR event, changed, counted, tables IN VALUES
        (
            'insert',
            'SELECT 1 AS sign, * FROM new_rows',
            'SELECT * FROM new_rows',
            'NEW TABLE AS new_rows'
        ),
        (
            'update',
            'SELECT 1 AS sign, * FROM new_rows UNION ALL SELECT -1, * FROM old_rows',
            'SELECT * FROM new_rows',
            'OLD TABLE AS old_rows NEW TABLE AS new_rows'
        ),
        (
            'delete',
            'SELECT -1 AS sign, * FROM old_rows',
            'SELECT org_id, mentor_id, counted_at, 0 AS total_clicks, 0 AS pending_attributions,
                0 AS confirmed_attributions FROM old_rows',
            'OLD TABLE AS old_rows'
        )
    LOOP
        name := format('stand_by_counts_on_%s', event);
        EXECUTE replace(replace(replace($statement$
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
            BEGIN
                IF NOT EXISTS ({changed}) THEN
                    RETURN NULL;
                END IF;
                PERFORM pg_advisory_xact_lock(8242, 6);

                INSERT INTO organisation_confirmed AS known (org_id, confirmed, mentors)
                SELECT org_id, confirmed_attributions, sum(sign)
                FROM ({changed}) AS changed
                GROUP BY 1, 2
                HAVING sum(sign) <> 0
                ON CONFLICT (org_id, confirmed) DO UPDATE SET mentors = known.mentors + excluded.mentors;

                INSERT INTO mentor_standings AS known (
                    org_id, mentor_id, quiet_since, is_active, idle_clicks, pending, confirmed, pending_days
                )
                SELECT
                    org_id,
                    mentor_id,
                    (counted_at AT TIME ZONE 'UTC')::date,
                    total_clicks <> 0 OR pending_attributions <> 0 OR confirmed_attributions <> 0,
                    CASE WHEN pending_attributions = 0 AND confirmed_attributions = 0 THEN total_clicks ELSE 0 END,
                    pending_attributions,
                    confirmed_attributions,
                    CASE
                        WHEN pending_attributions > 0 THEN pending_days_after(
                            '{}', 0, 0, pending_attributions, (counted_at AT TIME ZONE 'UTC')::date
                        )
                        ELSE '{}'
                    END
                FROM ({counted}) AS counted
                ORDER BY org_id, mentor_id
                ON CONFLICT (org_id, mentor_id) DO UPDATE
                SET
                    quiet_since = CASE
                        WHEN known.is_active THEN greatest(known.quiet_since, excluded.quiet_since)
                        ELSE excluded.quiet_since
                    END,
                    is_active = known.is_active OR excluded.is_active,
                    idle_clicks = excluded.idle_clicks,
                    pending = excluded.pending,
                    confirmed = excluded.confirmed,
                    pending_days = CASE
                        WHEN known.pending = excluded.pending AND known.confirmed = excluded.confirmed
                            THEN known.pending_days
                        ELSE pending_days_after(
                            known.pending_days,
                            known.pending,
                            excluded.confirmed - known.confirmed,
                            excluded.pending,
                            excluded.quiet_since
                        )
                    END
                WHERE
                    known.quiet_since < excluded.quiet_since
                    OR known.is_active < excluded.is_active
                    OR known.idle_clicks <> excluded.idle_clicks
                    OR known.pending <> excluded.pending
                    OR known.confirmed <> excluded.confirmed;
                RETURN NULL;
            END
            $function$
        $statement$, '{name}', name), '{changed}', changed), '{counted}', counted);
        EXECUTE format(
            'CREATE TRIGGER stand_on_%s AFTER %1$s ON mentor_counts REFERENCING %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION %I()',
            event, tables, name
        );
        EXECUTE format('COMMENT ON FUNCTION %I IS %L', name, 'Keeps what migration 0018 describes.');
    END LOOP;
    COMMENT ON FUNCTION stand_by_codes IS 'Keeps what migration 0018 describes.';
    COMMENT ON FUNCTION note_day_of_mentor IS 'Keeps what migration 0018 describes.';

    CREATE FUNCTION forget_standings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
    BEGIN
        IF TG_TABLE_NAME = 'referral_codes' THEN
            DELETE FROM mentor_standings;
        ELSE
            DELETE FROM organisation_confirmed;
            UPDATE mentor_standings
            SET is_active = false, idle_clicks = 0, pending = 0, confirmed = 0, pending_days = '{}';
            DELETE FROM mentor_days;
        END IF;
        RETURN NULL;
    END
    $function$;
    COMMENT ON FUNCTION forget_standings IS 'Keeps what migration 0018 describes.';
    CREATE TRIGGER standings_forgotten AFTER TRUNCATE ON mentor_counts
    FOR EACH STATEMENT EXECUTE FUNCTION forget_standings();
    CREATE TRIGGER standings_forgotten AFTER TRUNCATE ON referral_codes
    FOR EACH STATEMENT EXECUTE FUNCTION forget_standings();

    FOREACH name IN ARRAY ARRAY[
        'stand_by_codes', 'stand_by_counts_on_insert', 'stand_by_counts_on_update', 'stand_by_counts_on_delete',
        'forget_standings', 'note_day_of_mentor'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %I() FROM PUBLIC', name);
    END LOOP;

    FOREACH name IN ARRAY ARRAY['mentor_standings', 'mentor_days', 'organisation_confirmed'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_organisation ON %I USING (org_id = current_org_id())', name);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true)', name);
    END LOOP;
END
$migration$;
