-- How far each sink has read each partition: moved in the transaction of what was read, so that a database that goes back
-- in time takes its positions along, and what it has forgotten is read again. Kafka's offsets are for tools that show lag.

CREATE TABLE sink_positions (
    org_id uuid CHECK (org_id IS NULL),
    consumer text NOT NULL,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_id text NOT NULL DEFAULT '',
    next_offset bigint,
    read_before bigint NOT NULL DEFAULT 0,
    claim bigint NOT NULL DEFAULT 1,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    moved_at timestamptz,
    PRIMARY KEY (consumer, topic, topic_partition)
) WITH (fillfactor = 50);  -- few rows that change with every batch
COMMENT ON TABLE sink_positions IS
    'How far each sink has read each partition. Written by `referrals badges` and `referrals counts`, in the transaction of what was read. Delete a consumer''s rows while it is stopped, and it reads its topics again from their beginning, which changes nothing that is right.';
COMMENT ON COLUMN sink_positions.org_id IS 'NULL: a partition has records of every organisation.';
COMMENT ON COLUMN sink_positions.consumer IS 'Name of the consumer group.';
COMMENT ON COLUMN sink_positions.topic_id IS
    'Kafka''s identity of the topic, another one when it is deleted and made anew; empty where not known.';
COMMENT ON COLUMN sink_positions.next_offset IS 'Offset of the next record to be read; NULL: somebody begins just now.';
COMMENT ON COLUMN sink_positions.read_before IS
    'Records below this offset were read once, before the database went back in time: dead letters of them have been sent.';
COMMENT ON COLUMN sink_positions.claim IS
    'Raised by each process that takes the partition over; one that holds an earlier claim can write nothing any more.';

ALTER TABLE sink_positions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sink_positions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON sink_positions
USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id());

DO $$
BEGIN
    EXECUTE 'CREATE POLICY owner_sees_all ON sink_positions TO CURRENT_USER USING (true) WITH CHECK (true)';
END
$$;

ALTER TABLE mentor_counts ADD COLUMN key_partition integer;
COMMENT ON COLUMN mentor_counts.key_partition IS
    'Partition where the mentor''s key belonged when the row was projected; another than topic_partition where partitions were added to the topic since.';
COMMENT ON COLUMN mentor_counts.topic_offset IS
    'Offset of the record projected; a record of the same partition with a lower one never replaces the row. -1: of a topic that has been made anew since.';
