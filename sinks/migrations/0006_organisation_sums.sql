-- Sums of each organisation, so that what its coordinators see costs the same with ten mentors as with 100,000.
--
-- Triggers keep them, in the transaction that changes the rows they sum, whoever writes those: a sum is its rows by
-- construction, and `referrals verify` compares the two. They see a whole statement at once (transition tables), so a
-- batch of thousands costs one more row for each organisation, channel and day in it.
--
-- Two who write at once wait for each other at the sums they share. That they never wait in a circle:
--   the sums of mentor_counts   are written under the advisory lock (8242, 6), held until the transaction ends
--   organisation_totals         has a row for each thing counted, because codes are counted by requests of people, who
--                               must not wait for a batch of counts; each statement takes its rows in the order of keys
--
-- The triggers' statements have no parameters, so Postgres plans them once for each connection, for a batch as large
-- as the first one was. Therefore none of them joins: old and new rows are added up with a sign.

-- Nobody writes between the sums of what is there and the triggers.
LOCK TABLE referral_codes, mentor_counts, milestones, badge_awards IN SHARE ROW EXCLUSIVE MODE;

ALTER TABLE mentor_counts ADD COLUMN counted_at timestamptz;
UPDATE mentor_counts SET counted_at = projected_at;
ALTER TABLE mentor_counts ALTER COLUMN counted_at SET DEFAULT now(), ALTER COLUMN counted_at SET NOT NULL;
COMMENT ON COLUMN mentor_counts.counted_at IS
    'When the stream counted this: the Kafka timestamp of the record projected; of rows before migration 0006, when they were projected.';

CREATE TABLE organisation_counts (
    org_id uuid PRIMARY KEY,
    active_mentors bigint NOT NULL,
    total_clicks bigint NOT NULL,
    pending_attributions bigint NOT NULL,
    confirmed_attributions bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);  -- few rows that change with every batch: room on the page keeps updates off the index
COMMENT ON TABLE organisation_counts IS 'The sums of mentor_counts for each organisation. Written by triggers of mentor_counts.';
COMMENT ON COLUMN organisation_counts.active_mentors IS 'Mentors with a click, a pending or a confirmed registration.';
COMMENT ON COLUMN organisation_counts.updated_at IS 'The latest counted_at of its mentors; later if one was deleted.';

CREATE TABLE organisation_channels (
    org_id uuid NOT NULL,
    channel text NOT NULL,
    clicks bigint NOT NULL,
    pending bigint NOT NULL,
    confirmed bigint NOT NULL,
    PRIMARY KEY (org_id, channel)
) WITH (fillfactor = 50);
CREATE INDEX organisation_channels_busiest ON organisation_channels (org_id, clicks DESC, channel);
COMMENT ON TABLE organisation_channels IS
    'The sums of mentor_counts for each organisation and channel. Written by triggers of mentor_counts. Links name channels, so there may be very many; read the busiest.';

CREATE TABLE organisation_days (
    org_id uuid NOT NULL,
    day date NOT NULL,
    clicks bigint NOT NULL,
    pending bigint NOT NULL,
    confirmed bigint NOT NULL,
    PRIMARY KEY (org_id, day)
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_days IS
    'By how much the counts of each organisation changed on each day; all days together are organisation_counts. Less than nothing is pending on a day on which more registrations were confirmed or withdrawn than came. Written by triggers of mentor_counts.';
COMMENT ON COLUMN organisation_days.day IS
    'In UTC, of mentor_counts.counted_at: when the stream counted, not when it occurred, so a day that is over stays as it is. Rows deleted are taken off on the day of their deletion.';

CREATE TABLE organisation_totals (
    org_id uuid NOT NULL,
    counted text NOT NULL CHECK (counted IN ('mentors', 'milestones', 'awards')),
    total bigint NOT NULL,
    PRIMARY KEY (org_id, counted)
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_totals IS
    'How many of what each organisation has: mentors (who have a code), milestones (of mentors who are known), awards. Written by triggers of referral_codes, milestones and badge_awards.';

-- What the activity of an organisation is read by, the latest first.
CREATE INDEX milestones_latest ON milestones (org_id, recorded_at DESC, mentor_id, milestone_threshold)
WHERE state <> 'awaiting_mentor';
DROP INDEX badge_awards_latest;
CREATE INDEX badge_awards_latest ON badge_awards (org_id, awarded_at DESC, mentor_id, badge_id);
CREATE INDEX badge_definitions_by_threshold ON badge_definitions (org_id, threshold);

-- The sums of what is there already.
INSERT INTO organisation_counts
SELECT
    org_id,
    count(*) FILTER (WHERE total_clicks <> 0 OR pending_attributions <> 0 OR confirmed_attributions <> 0),
    sum(total_clicks),
    sum(pending_attributions),
    sum(confirmed_attributions),
    max(counted_at)
FROM mentor_counts
GROUP BY org_id;

INSERT INTO organisation_channels
SELECT
    org_id,
    channel,
    coalesce(sum((counts ->> 'clicks')::bigint), 0),
    coalesce(sum((counts ->> 'pending')::bigint), 0),
    coalesce(sum((counts ->> 'confirmed')::bigint), 0)
FROM mentor_counts, jsonb_each(by_channel) AS each_channel (channel, counts)
GROUP BY org_id, channel;

INSERT INTO organisation_days
SELECT
    org_id,
    (counted_at AT TIME ZONE 'UTC')::date,
    sum(total_clicks),
    sum(pending_attributions),
    sum(confirmed_attributions)
FROM mentor_counts
GROUP BY 1, 2;

INSERT INTO organisation_totals
SELECT org_id, 'mentors', count(*) FROM referral_codes GROUP BY org_id
UNION ALL
SELECT org_id, 'milestones', count(*) FROM milestones WHERE state <> 'awaiting_mentor' GROUP BY org_id
UNION ALL
SELECT org_id, 'awards', count(*) FROM badge_awards GROUP BY org_id;

-- Who shows an organisation is told that it changed; a payload that a transaction repeats is sent once.
CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('referrals_changes', NEW.org_id::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tell_of_change IS 'Tells listening dashboards that counts, milestones or awards of an organisation changed.';

CREATE TRIGGER counts_tell_of_change
AFTER INSERT OR UPDATE ON organisation_counts
FOR EACH ROW EXECUTE FUNCTION tell_of_change();

CREATE TRIGGER totals_tell_of_change
AFTER INSERT OR UPDATE ON organisation_totals
FOR EACH ROW WHEN (NEW.counted <> 'mentors') EXECUTE FUNCTION tell_of_change();

-- A trigger has the transition tables of one event only, so each event has its functions; they differ in nothing but the
-- rows: new ones count, old ones are taken off. They run as the tables' owner, because who writes the rows need not be able
-- to write the sums, and look for tables in this schema alone: in the temporary one anybody could put a table of his.
DO $migration$
DECLARE
    event text;
    changed text;
    tables text;
    source text;
    counted text;
    counts text;
    name text;
    functions text[] := '{forget_sums}';
BEGIN
    FOR event, changed, tables IN VALUES
        ('insert', 'SELECT 1 AS sign, * FROM new_rows', 'NEW TABLE AS new_rows'),
        ('delete', 'SELECT -1 AS sign, * FROM old_rows', 'OLD TABLE AS old_rows'),
        (
            'update',
            'SELECT 1 AS sign, * FROM new_rows UNION ALL SELECT -1, * FROM old_rows',
            'OLD TABLE AS old_rows NEW TABLE AS new_rows'
        )
    LOOP
        name := format('sum_mentor_counts_on_%s', event);
        functions := functions || name;
        EXECUTE replace(replace($statement$
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
            BEGIN
                IF NOT EXISTS ({changed}) THEN
                    RETURN NULL;
                END IF;
                PERFORM pg_advisory_xact_lock(8242, 6);

                WITH mentors AS (
                    SELECT
                        org_id,
                        max(counted_at) FILTER (WHERE sign > 0) AS at,
                        sum(sign) FILTER (
                            WHERE total_clicks <> 0 OR pending_attributions <> 0 OR confirmed_attributions <> 0
                        ) AS active,
                        sum(sign * total_clicks) AS clicks,
                        sum(sign * pending_attributions) AS pending,
                        sum(sign * confirmed_attributions) AS confirmed
                    FROM ({changed}) AS changed
                    GROUP BY org_id, mentor_id
                ),
                days AS (
                    INSERT INTO organisation_days AS known (org_id, day, clicks, pending, confirmed)
                    SELECT
                        org_id,
                        (coalesce(at, now()) AT TIME ZONE 'UTC')::date AS day,
                        sum(clicks),
                        sum(pending),
                        sum(confirmed)
                    FROM mentors
                    GROUP BY org_id, day
                    HAVING sum(clicks) <> 0 OR sum(pending) <> 0 OR sum(confirmed) <> 0
                    ON CONFLICT (org_id, day) DO UPDATE
                    SET
                        clicks = known.clicks + excluded.clicks,
                        pending = known.pending + excluded.pending,
                        confirmed = known.confirmed + excluded.confirmed
                )
                INSERT INTO organisation_counts AS known (
                    org_id, active_mentors, total_clicks, pending_attributions, confirmed_attributions, updated_at
                )
                SELECT
                    org_id,
                    coalesce(sum(active), 0),
                    sum(clicks),
                    sum(pending),
                    sum(confirmed),
                    coalesce(max(at), now())
                FROM mentors
                GROUP BY org_id
                ON CONFLICT (org_id) DO UPDATE
                SET
                    active_mentors = known.active_mentors + excluded.active_mentors,
                    total_clicks = known.total_clicks + excluded.total_clicks,
                    pending_attributions = known.pending_attributions + excluded.pending_attributions,
                    confirmed_attributions = known.confirmed_attributions + excluded.confirmed_attributions,
                    updated_at = greatest(known.updated_at, excluded.updated_at);

                INSERT INTO organisation_channels AS known (org_id, channel, clicks, pending, confirmed)
                SELECT org_id, channel, clicks, pending, confirmed
                FROM (
                    SELECT
                        org_id,
                        channel,
                        coalesce(sum(sign * (counts ->> 'clicks')::bigint), 0) AS clicks,
                        coalesce(sum(sign * (counts ->> 'pending')::bigint), 0) AS pending,
                        coalesce(sum(sign * (counts ->> 'confirmed')::bigint), 0) AS confirmed
                    FROM ({changed}) AS changed, jsonb_each(by_channel) AS each_channel (channel, counts)
                    GROUP BY org_id, channel
                ) AS change
                WHERE clicks <> 0 OR pending <> 0 OR confirmed <> 0
                ON CONFLICT (org_id, channel) DO UPDATE
                SET
                    clicks = known.clicks + excluded.clicks,
                    pending = known.pending + excluded.pending,
                    confirmed = known.confirmed + excluded.confirmed;
                RETURN NULL;
            END
            $function$
        $statement$, '{name}', name), '{changed}', changed);
        EXECUTE format(
            'CREATE TRIGGER summed_on_%s AFTER %1$s ON mentor_counts REFERENCING %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION %I()',
            event, tables, name
        );

        FOR source, counted, counts IN VALUES
            ('referral_codes', 'mentors', 'true'),
            ('milestones', 'milestones', 'state <> ''awaiting_mentor'''),
            ('badge_awards', 'awards', 'true')
        LOOP
            name := format('count_%s_on_%s', source, event);
            functions := functions || name;
            EXECUTE format($statement$
                CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
                BEGIN
                    INSERT INTO organisation_totals AS known (org_id, counted, total)
                    SELECT org_id, %L, sum(sign)
                    FROM (%s) AS changed
                    WHERE %s
                    GROUP BY org_id
                    HAVING sum(sign) <> 0
                    ORDER BY org_id
                    ON CONFLICT (org_id, counted) DO UPDATE
                    SET total = known.total + excluded.total;
                    RETURN NULL;
                END
                $function$
            $statement$, name, counted, changed, counts);
            EXECUTE format(
                'CREATE TRIGGER counted_on_%s AFTER %1$s ON %I REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION %I()',
                event, source, tables, name
            );
        END LOOP;
    END LOOP;

    -- A table that is emptied takes its sums with it: it has no rows left to be taken off.
    CREATE FUNCTION forget_sums() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
    BEGIN
        IF TG_TABLE_NAME = 'mentor_counts' THEN
            DELETE FROM organisation_counts;
            DELETE FROM organisation_channels;
            DELETE FROM organisation_days;
        ELSE
            DELETE FROM organisation_totals WHERE organisation_totals.counted = TG_ARGV[0];
        END IF;
        RETURN NULL;
    END
    $function$;
    FOR source, counted IN VALUES
        ('mentor_counts', ''), ('referral_codes', 'mentors'), ('milestones', 'milestones'), ('badge_awards', 'awards')
    LOOP
        EXECUTE format(
            'CREATE TRIGGER forgotten_on_truncate AFTER TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION forget_sums(%L)',
            source, counted
        );
    END LOOP;

    FOREACH name IN ARRAY functions LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('COMMENT ON FUNCTION %I IS %L', name, 'Keeps the sums that migration 0006 describes.');
    END LOOP;

    FOREACH name IN ARRAY ARRAY[
        'organisation_counts', 'organisation_channels', 'organisation_days', 'organisation_totals'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_organisation ON %I USING (org_id = current_org_id())', name);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true)', name);
    END LOOP;
END
$migration$;
