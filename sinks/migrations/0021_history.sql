-- What happened on which day, by when it occurred: clicks, registrations, confirmations and withdrawals of each
-- organisation by channel, in days of its own time zone. `referrals counts` reads them from the source topics.
--
-- At rest are pairs of code and member, of whom nothing but a digest is kept, and clicks by the quarter of an hour: every
-- time zone is a whole number of these away from UTC, so days of 23 and of 25 hours come out right. Days are sums of them,
-- kept by triggers, and made anew where an organisation changes its time zone.
--
-- A pair's row holds what no order and no repetition of its events changes: the earliest and the latest time of each kind.
--   registered   at the earliest time at which it was pending or confirmed
--   confirmed    at the earliest time at which it was confirmed; once, also where it was withdrawn later
--   withdrawn    at the latest withdrawal, if no confirmation is later than that
-- Whoever writes takes the advisory lock (8242, 7) first, so that two never wait for each other in a circle.

ALTER TABLE organisations ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
COMMENT ON COLUMN organisations.time_zone IS
    'In whose days its figures are shown, as the IANA names it, such as Europe/Oslo. `referrals orgs set --time-zone` changes it, and days are made anew.';

CREATE TABLE registration_pairs (
    org_id uuid NOT NULL,
    pair uuid NOT NULL,
    referral_code text NOT NULL,
    channel text NOT NULL,
    pending_at timestamptz,
    confirmed_at timestamptz,
    confirmed_last_at timestamptz,
    withdrawn_at timestamptz,
    PRIMARY KEY (org_id, pair)
);
COMMENT ON TABLE registration_pairs IS 'When each pair of code and member became what. Written by `referrals counts` from the registrations topic.';
COMMENT ON COLUMN registration_pairs.pair IS 'A digest of code and member id; the id itself is not kept.';
COMMENT ON COLUMN registration_pairs.channel IS 'The one that the first of its events named.';
COMMENT ON COLUMN registration_pairs.pending_at IS 'The earliest time at which it was pending.';
COMMENT ON COLUMN registration_pairs.confirmed_at IS 'The earliest time at which it was confirmed.';
COMMENT ON COLUMN registration_pairs.confirmed_last_at IS 'The latest.';
COMMENT ON COLUMN registration_pairs.withdrawn_at IS 'The latest withdrawal.';

CREATE TABLE organisation_quarter_hours (
    org_id uuid NOT NULL,
    begins_at timestamptz NOT NULL,
    channel text NOT NULL,
    clicks bigint NOT NULL DEFAULT 0,
    registered bigint NOT NULL DEFAULT 0,
    confirmed bigint NOT NULL DEFAULT 0,
    withdrawn bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, begins_at, channel)
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_quarter_hours IS
    'What happened in each quarter of an hour. Clicks are written by `referrals counts`, the rest by triggers of registration_pairs.';

CREATE TABLE organisation_history (
    org_id uuid NOT NULL,
    channel text NOT NULL,
    day date NOT NULL,
    clicks bigint NOT NULL,
    registered bigint NOT NULL,
    confirmed bigint NOT NULL,
    withdrawn bigint NOT NULL,
    PRIMARY KEY (org_id, channel, day)
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_history IS
    'The sums of organisation_quarter_hours for each day of the organisation''s time zone. Written by triggers.';
COMMENT ON COLUMN organisation_history.channel IS 'Empty: all together.';

CREATE TABLE organisation_history_totals (
    org_id uuid PRIMARY KEY,
    clicks bigint NOT NULL,
    registered bigint NOT NULL,
    confirmed bigint NOT NULL,
    withdrawn bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_history_totals IS 'The sums of organisation_quarter_hours over all time. Written by triggers.';

CREATE TABLE organisation_confirmation_times (
    org_id uuid NOT NULL,
    day date NOT NULL,
    hours integer NOT NULL,
    confirmed bigint NOT NULL,
    PRIMARY KEY (org_id, day, hours)
) WITH (fillfactor = 50);
COMMENT ON TABLE organisation_confirmation_times IS
    'How long those confirmed on a day had been pending, in whole hours, from three days on in whole days. Who was never pending is not among them. Written by triggers of registration_pairs.';

CREATE TABLE history_channels (
    org_id uuid NOT NULL,
    channel text NOT NULL,
    PRIMARY KEY (org_id, channel)
);
COMMENT ON TABLE history_channels IS
    'The channels told apart in an organisation''s history: links name channels, so there may be any number; past the first of them the rest is `other`.';

CREATE TABLE history_waiting (
    org_id uuid,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    referral_code text NOT NULL,
    pair uuid,
    status text,
    occurred_us bigint NOT NULL,
    channel text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, topic_partition, topic_offset)
);
CREATE INDEX history_waiting_by_code ON history_waiting (referral_code);
CREATE INDEX history_waiting_by_age ON history_waiting (since);
COMMENT ON TABLE history_waiting IS 'What happened to codes that are not issued yet; it counts when they are.';
COMMENT ON COLUMN history_waiting.org_id IS 'As the event names it; NULL: it names none.';
COMMENT ON COLUMN history_waiting.pair IS 'NULL: a click.';

COMMENT ON TABLE sink_positions IS
    'How far each sink has read each partition. Written by `referrals badges` and `referrals counts`, in the transaction of what was read. Delete a consumer''s rows while it is stopped, and it reads its topics again from their beginning, which changes nothing that is right; but of the consumer `history` together with all rows of registration_pairs and organisation_quarter_hours, because clicks are added up.';

CREATE FUNCTION time_zone_of(organisation uuid) RETURNS text LANGUAGE sql STABLE
RETURN coalesce((SELECT time_zone FROM organisations WHERE org_id = organisation), 'UTC');
COMMENT ON FUNCTION time_zone_of IS 'In whose days an organisation''s figures are shown.';

CREATE FUNCTION waited_hours(pending_at timestamptz, confirmed_at timestamptz) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN confirmed_at <= pending_at THEN 0
    WHEN confirmed_at - pending_at < interval '72 hours' THEN floor(extract(epoch FROM confirmed_at - pending_at) / 3600)
    ELSE least(floor(extract(epoch FROM confirmed_at - pending_at) / 86400), 3650) * 24
END::integer;
COMMENT ON FUNCTION waited_hours IS 'How long a pair was pending: whole hours, from three days on whole days, ten years at most.';

CREATE TRIGGER history_tells_of_change
AFTER INSERT OR UPDATE ON organisation_history_totals
FOR EACH ROW EXECUTE FUNCTION tell_of_change();

-- As in migration 0006: a trigger has the transition tables of one event only, so each event has its functions; old rows
-- are taken off, new ones count.
DO $migration$
DECLARE
    event text;
    changed text;
    tables text;
    name text;
    functions text[] := '{make_days_anew}';
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
        name := format('sum_registration_pairs_on_%s', event);
        functions := functions || name;
        EXECUTE replace(replace($statement$
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
            BEGIN
                IF NOT EXISTS ({changed}) THEN
                    RETURN NULL;
                END IF;
                PERFORM pg_advisory_xact_lock(8242, 7);

                INSERT INTO organisation_quarter_hours AS known (
                    org_id, begins_at, channel, registered, confirmed, withdrawn
                )
                SELECT
                    org_id,
                    date_bin('15 minutes', happened.at, '2000-01-01Z') AS begins_at,
                    channel,
                    sum(sign * happened.registered),
                    sum(sign * happened.confirmed),
                    sum(sign * happened.withdrawn)
                FROM ({changed}) AS changed
                CROSS JOIN LATERAL (
                    VALUES
                        (least(pending_at, confirmed_at), 1, 0, 0),
                        (confirmed_at, 0, 1, 0),
                        (
                            CASE
                                WHEN coalesce(pending_at, confirmed_at) IS NULL OR withdrawn_at < confirmed_last_at THEN NULL
                                ELSE withdrawn_at
                            END,
                            0, 0, 1
                        )
                ) AS happened (at, registered, confirmed, withdrawn)
                WHERE happened.at IS NOT NULL
                GROUP BY 1, 2, 3
                HAVING
                    sum(sign * happened.registered) <> 0
                    OR sum(sign * happened.confirmed) <> 0
                    OR sum(sign * happened.withdrawn) <> 0
                ON CONFLICT (org_id, begins_at, channel) DO UPDATE
                SET
                    registered = known.registered + excluded.registered,
                    confirmed = known.confirmed + excluded.confirmed,
                    withdrawn = known.withdrawn + excluded.withdrawn;

                INSERT INTO organisation_confirmation_times AS known (org_id, day, hours, confirmed)
                SELECT
                    org_id,
                    (confirmed_at AT TIME ZONE time_zone_of(org_id))::date,
                    waited_hours(pending_at, confirmed_at),
                    sum(sign)
                FROM ({changed}) AS changed
                WHERE pending_at IS NOT NULL AND confirmed_at IS NOT NULL
                GROUP BY 1, 2, 3
                HAVING sum(sign) <> 0
                ON CONFLICT (org_id, day, hours) DO UPDATE
                SET confirmed = known.confirmed + excluded.confirmed;
                RETURN NULL;
            END
            $function$
        $statement$, '{name}', name), '{changed}', changed);
        EXECUTE format(
            'CREATE TRIGGER summed_on_%s AFTER %1$s ON registration_pairs REFERENCING %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION %I()',
            event, tables, name
        );

        name := format('sum_quarter_hours_on_%s', event);
        functions := functions || name;
        EXECUTE replace(replace($statement$
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
            BEGIN
                IF NOT EXISTS ({changed}) THEN
                    RETURN NULL;
                END IF;
                PERFORM pg_advisory_xact_lock(8242, 7);

                INSERT INTO organisation_history AS known (
                    org_id, channel, day, clicks, registered, confirmed, withdrawn
                )
                SELECT
                    org_id,
                    counted.channel,
                    (begins_at AT TIME ZONE time_zone_of(org_id))::date,
                    sum(sign * clicks),
                    sum(sign * registered),
                    sum(sign * confirmed),
                    sum(sign * withdrawn)
                FROM ({changed}) AS changed
                CROSS JOIN LATERAL (VALUES (''), (changed.channel)) AS counted (channel)
                GROUP BY 1, 2, 3
                ON CONFLICT (org_id, channel, day) DO UPDATE
                SET
                    clicks = known.clicks + excluded.clicks,
                    registered = known.registered + excluded.registered,
                    confirmed = known.confirmed + excluded.confirmed,
                    withdrawn = known.withdrawn + excluded.withdrawn;

                INSERT INTO organisation_history_totals AS known (org_id, clicks, registered, confirmed, withdrawn)
                SELECT org_id, sum(sign * clicks), sum(sign * registered), sum(sign * confirmed), sum(sign * withdrawn)
                FROM ({changed}) AS changed
                GROUP BY org_id
                ON CONFLICT (org_id) DO UPDATE
                SET
                    clicks = known.clicks + excluded.clicks,
                    registered = known.registered + excluded.registered,
                    confirmed = known.confirmed + excluded.confirmed,
                    withdrawn = known.withdrawn + excluded.withdrawn;
                RETURN NULL;
            END
            $function$
        $statement$, '{name}', name), '{changed}', changed);
        EXECUTE format(
            'CREATE TRIGGER summed_on_%s AFTER %1$s ON organisation_quarter_hours REFERENCING %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION %I()',
            event, tables, name
        );
    END LOOP;

    CREATE FUNCTION make_days_anew() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
    BEGIN
        PERFORM pg_advisory_xact_lock(8242, 7);
        DELETE FROM organisation_history WHERE org_id = NEW.org_id;
        INSERT INTO organisation_history (org_id, channel, day, clicks, registered, confirmed, withdrawn)
        SELECT
            org_id,
            counted.channel,
            (begins_at AT TIME ZONE NEW.time_zone)::date,
            sum(clicks),
            sum(registered),
            sum(confirmed),
            sum(withdrawn)
        FROM organisation_quarter_hours
        CROSS JOIN LATERAL (VALUES (''), (organisation_quarter_hours.channel)) AS counted (channel)
        WHERE org_id = NEW.org_id
        GROUP BY 1, 2, 3;
        DELETE FROM organisation_confirmation_times WHERE org_id = NEW.org_id;
        INSERT INTO organisation_confirmation_times (org_id, day, hours, confirmed)
        SELECT
            org_id,
            (confirmed_at AT TIME ZONE NEW.time_zone)::date,
            waited_hours(pending_at, confirmed_at),
            count(*)
        FROM registration_pairs
        WHERE org_id = NEW.org_id AND pending_at IS NOT NULL AND confirmed_at IS NOT NULL
        GROUP BY 1, 2, 3;
        PERFORM pg_notify('referrals_changes', NEW.org_id::text);
        RETURN NULL;
    END
    $function$;
    CREATE TRIGGER days_follow_the_time_zone
    AFTER UPDATE OF time_zone ON organisations
    FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone) EXECUTE FUNCTION make_days_anew();

    FOREACH name IN ARRAY functions LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %I() FROM PUBLIC', name);
        EXECUTE format('COMMENT ON FUNCTION %I IS %L', name, 'Keeps the sums that migration 0021 describes.');
    END LOOP;

    FOREACH name IN ARRAY ARRAY[
        'registration_pairs', 'organisation_quarter_hours', 'organisation_history', 'organisation_history_totals',
        'organisation_confirmation_times', 'history_channels', 'history_waiting'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_organisation ON %I USING (org_id = current_org_id())', name);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true)', name);
    END LOOP;
END
$migration$;
