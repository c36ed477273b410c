-- Dead letters by organisation, for its administrators: what could not be used and why, and where it stands. Nothing of the
-- record is kept but its code and a digest; its value stays in the topic alone.

CREATE TABLE dead_letters (
    org_id uuid,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    written_at timestamptz NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    stage text NOT NULL,
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    referral_code text,
    is_code_issued boolean NOT NULL,
    records bigint NOT NULL,
    value_bytes bigint NOT NULL,
    is_again boolean NOT NULL,
    record_digest uuid NOT NULL,
    replayed_at timestamptz,
    PRIMARY KEY (topic_partition, topic_offset)
);
CREATE INDEX dead_letters_latest ON dead_letters (org_id, written_at DESC, topic_partition, topic_offset);
CREATE INDEX dead_letters_by_record ON dead_letters (record_digest);
CREATE INDEX dead_letters_to_claim ON dead_letters (referral_code) WHERE NOT is_code_issued AND referral_code IS NOT NULL;
COMMENT ON TABLE dead_letters IS
    'The latest dead letters of each organisation, 10,000 at most and of the last 400 days. Written by `referrals counts` from the dead letters topic.';
COMMENT ON COLUMN dead_letters.org_id IS
    'Whose code it is; of a code that nobody has the organisation that the event names. NULL: neither is known, and it is the installation''s.';
COMMENT ON COLUMN dead_letters.topic_partition IS 'In the dead letters topic, as is topic_offset.';
COMMENT ON COLUMN dead_letters.message IS 'What is wrong, without what stood in the event.';
COMMENT ON COLUMN dead_letters.source_topic IS 'Full name of the topic that the record was read from; empty where nothing says it.';
COMMENT ON COLUMN dead_letters.is_code_issued IS 'False: it goes to the organisation to which its code is issued, should it be.';
COMMENT ON COLUMN dead_letters.records IS 'How many records it stands for.';
COMMENT ON COLUMN dead_letters.is_again IS 'A rebuild has sent it once more.';
COMMENT ON COLUMN dead_letters.record_digest IS 'Of the coordinates and bytes of the record: the same of each dead letter of it.';
COMMENT ON COLUMN dead_letters.replayed_at IS 'When its record was sent again; NULL: it was not.';

CREATE TABLE dead_letter_replays (
    org_id uuid,
    record_digest uuid PRIMARY KEY,
    replayed_at timestamptz NOT NULL
);
CREATE INDEX dead_letter_replays_by_age ON dead_letter_replays (replayed_at);
COMMENT ON TABLE dead_letter_replays IS
    'Which records were sent again, whether their dead letters are listed or come later. Written by `referrals counts` from the notes of replays.';
COMMENT ON COLUMN dead_letter_replays.org_id IS 'NULL: a note does not say whose the record is.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['dead_letters', 'dead_letter_replays'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_organisation ON %I USING (org_id = current_org_id())', name);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true)', name);
    END LOOP;
END
$$;

-- The login of `referrals counts` has one more consumer; component_roles.sql makes the policy anew.
DROP POLICY IF EXISTS referrals_counts_sees_all ON sink_positions;
