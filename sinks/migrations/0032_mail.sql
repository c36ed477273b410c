-- Mail that people have asked for: to which address, and the outbox from which `referrals mail` sends it. An address stands in
-- mail_subscriptions and nowhere else: deleting that row erases it, and what had not been sent is not sent any more.

CREATE TABLE mail_subscriptions (
    org_id uuid NOT NULL REFERENCES organisations,
    subscription_id uuid NOT NULL,
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    role text NOT NULL CHECK (role IN ('mentor', 'coordinator', 'org_admin')),
    topic text NOT NULL CHECK (topic IN ('summary', 'badges')),
    address text NOT NULL CHECK (length(address) BETWEEN 3 AND 254 AND address !~ '[[:space:][:cntrl:]]'),
    language text NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    secret bytea NOT NULL CHECK (length(secret) = 32),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    refused_at timestamptz,
    PRIMARY KEY (org_id, subscription_id),
    UNIQUE (org_id, subject, topic)
);
COMMENT ON TABLE mail_subscriptions IS
    'What somebody wants to be told by mail, and where: asked for on a page, confirmed by a link in a first mail. Deleted by its end, with the address.';
COMMENT ON COLUMN mail_subscriptions.subject IS 'Who: the mentor id of a mentor, else what his session calls him.';
COMMENT ON COLUMN mail_subscriptions.topic IS 'summary: the week, for coordinators; badges: his own, for a mentor.';
COMMENT ON COLUMN mail_subscriptions.secret IS
    'Random; in the links of its mails, which confirm or end this subscription and do nothing else. Kept as it is, because each mail has the link that ends it.';
COMMENT ON COLUMN mail_subscriptions.confirmed_at IS
    'NULL: nobody has yet shown that the address is his; it gets one mail, and after a week the row goes.';
COMMENT ON COLUMN mail_subscriptions.refused_at IS
    'When a mail server said that there is no such address: nothing is sent there any more. NULL: none has.';

CREATE TABLE mail_outbox (
    org_id uuid NOT NULL REFERENCES organisations,
    mail_id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('confirm', 'summary', 'badge')),
    subscription_id uuid NOT NULL,
    about text NOT NULL CHECK (length(about) BETWEEN 1 AND 100),
    subject text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    gave_up_at timestamptz,
    problem text CHECK (length(problem) <= 200),
    PRIMARY KEY (org_id, mail_id),
    UNIQUE (org_id, subscription_id, kind, about),
    CHECK (sent_at IS NULL OR gave_up_at IS NULL)
);
CREATE INDEX mail_outbox_due ON mail_outbox (due_at) WHERE sent_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX mail_outbox_asked ON mail_outbox (org_id, subject, made_at) WHERE kind = 'confirm';
COMMENT ON TABLE mail_outbox IS
    'Mails to be sent, and for a month those that were: without address and text, which are made when one is sent. One thing is one row, so it is told once.';
COMMENT ON COLUMN mail_outbox.mail_id IS 'In its Message-ID, which stays the same however often it is tried.';
COMMENT ON COLUMN mail_outbox.about IS
    'Of what it is the only mail: of a summary the Monday on which it is due, of a badge its id, else when it was asked for.';
COMMENT ON COLUMN mail_outbox.due_at IS 'When it is tried next.';
COMMENT ON COLUMN mail_outbox.gave_up_at IS 'When a server refused it for good, or it was too late; problem says why.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mail_subscriptions', 'mail_outbox'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_organisation ON %I USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id())',
            name
        );
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;

CREATE FUNCTION wake_mail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY referrals_mail;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION wake_mail IS 'Tells a listening `referrals mail` that there is something to send.';
CREATE TRIGGER mail_outbox_wakes_mail
AFTER INSERT ON mail_outbox
FOR EACH STATEMENT EXECUTE FUNCTION wake_mail();

-- In the transaction that awards: there is a mail exactly where there is an award.
CREATE FUNCTION tell_of_awards() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO mail_outbox (org_id, kind, subscription_id, about, subject)
    SELECT wish.org_id, 'badge', wish.subscription_id, new_rows.badge_id::text, wish.subject
    FROM new_rows
    INNER JOIN mail_subscriptions AS wish
        ON wish.org_id = new_rows.org_id AND wish.subject = new_rows.mentor_id::text AND wish.topic = 'badges'
    WHERE wish.role = 'mentor' AND wish.confirmed_at IS NOT NULL AND wish.refused_at IS NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tell_of_awards IS
    'Puts a mail into the outbox for each award whose mentor wants to be told. Security definer: who awards need not see addresses.';
CREATE TRIGGER tell_on_insert AFTER INSERT ON badge_awards
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_of_awards();

CREATE FUNCTION mail_due(most integer, until timestamptz) RETURNS TABLE (org_id uuid, mail_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT org_id, mail_id FROM mail_outbox
    WHERE sent_at IS NULL AND gave_up_at IS NULL AND due_at <= until
    ORDER BY due_at LIMIT most
$$;
COMMENT ON FUNCTION mail_due IS 'Which mails are to be tried by then, the longest due first; each is then looked at for its organisation.';

CREATE FUNCTION mail_figures() RETURNS TABLE (waiting bigint, oldest_at timestamptz, next_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT count(*), min(made_at), min(due_at) FROM mail_outbox WHERE sent_at IS NULL AND gave_up_at IS NULL
$$;
COMMENT ON FUNCTION mail_figures IS 'How many mails wait, since when the oldest of them, and when the next is to be tried.';

CREATE FUNCTION mail_summaries_due(at timestamptz) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    WITH weeks AS (
        SELECT
            organisations.org_id,
            time_zone,
            date_trunc('week', at AT TIME ZONE time_zone - interval '7 hours') + interval '7 hours' AS due
        FROM organisations
    ),
    made AS (
        INSERT INTO mail_outbox (org_id, kind, subscription_id, about, subject)
        SELECT wish.org_id, 'summary', wish.subscription_id, weeks.due::date::text, wish.subject
        FROM mail_subscriptions AS wish
        INNER JOIN weeks ON weeks.org_id = wish.org_id
        WHERE
            wish.topic = 'summary'
            AND wish.refused_at IS NULL
            AND wish.confirmed_at < weeks.due AT TIME ZONE weeks.time_zone
            AND NOT EXISTS (
                SELECT FROM mail_outbox AS told
                WHERE told.org_id = wish.org_id AND told.subscription_id = wish.subscription_id
                    AND told.kind = 'summary' AND told.about = weeks.due::date::text
            )
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM made
$$;
COMMENT ON FUNCTION mail_summaries_due IS
    'Puts the summary of the last week into the outbox of who confirmed before it was due: on Monday at 7, as the organisation''s clock has it. Of weeks before nothing is sent later.';

CREATE FUNCTION mail_forgets() RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    DELETE FROM mail_outbox WHERE coalesce(sent_at, gave_up_at) < now() - interval '30 days';
    DELETE FROM mail_subscriptions WHERE confirmed_at IS NULL AND asked_at < now() - interval '7 days';
$$;
COMMENT ON FUNCTION mail_forgets IS
    'Deletes what was sent a month ago, and addresses that nobody has confirmed within a week.';

DO $$
DECLARE
    name regprocedure;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'tell_of_awards()', 'mail_due(integer, timestamptz)', 'mail_figures()', 'mail_summaries_due(timestamptz)',
        'mail_forgets()'
    ]::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
