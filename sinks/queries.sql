-- The statements of the sinks. A heading names a statement; `sinks.postgres.query` finds it by that name.
-- Arrays of one length are columns of a batch: one statement for a record and for thousands.

-- name: hold_definitions --
-- Definitions that come wait until this transaction has committed (migration 0003); batches do not wait for each other.
SELECT pg_advisory_xact_lock_shared(8242, 1);

-- name: record_milestones --
-- Returns the milestones that were not recorded before. Ordered, so that two instances never deadlock.
INSERT INTO milestones (
    org_id, mentor_id, milestone_threshold, milestone_id, confirmed_count, attribution_id, reached_at, state
)
SELECT org_id, mentor_id, milestone_threshold, milestone_id, confirmed_count, attribution_id, reached_at, 'decided'
FROM unnest(
    %(org_ids)s::uuid[], %(mentor_ids)s::uuid[], %(thresholds)s::bigint[], %(milestone_ids)s::uuid[],
    %(confirmed_counts)s::bigint[], %(attribution_ids)s::uuid[], %(reached_ats)s::timestamptz[]
) AS batch (org_id, mentor_id, milestone_threshold, milestone_id, confirmed_count, attribution_id, reached_at)
ORDER BY org_id, mentor_id, milestone_threshold
ON CONFLICT DO NOTHING
RETURNING org_id::text, mentor_id::text, milestone_threshold;

-- name: claim_milestones --
-- Milestones to be decided again: their mentor has come, or a definition has. Locked to this transaction; those that
-- another instance has locked are its to decide.
SELECT
    org_id::text, mentor_id::text, milestone_threshold, milestone_id::text, confirmed_count, attribution_id::text,
    reached_at
FROM milestones
WHERE
    state = 'due'
    OR (
        state = 'awaiting_mentor'
        AND EXISTS (
            SELECT FROM mentors
            WHERE mentors.org_id = milestones.org_id AND mentors.mentor_id = milestones.mentor_id
        )
    )
ORDER BY org_id, mentor_id, milestone_threshold
LIMIT %(limit)s
FOR UPDATE OF milestones SKIP LOCKED;

-- name: set_states --
UPDATE milestones
SET state = batch.state
FROM unnest(%(org_ids)s::uuid[], %(mentor_ids)s::uuid[], %(thresholds)s::bigint[], %(states)s::text[])
    AS batch (org_id, mentor_id, milestone_threshold, state)
WHERE
    milestones.org_id = batch.org_id
    AND milestones.mentor_id = batch.mentor_id
    AND milestones.milestone_threshold = batch.milestone_threshold
    AND milestones.state <> batch.state;

-- name: definitions --
SELECT badge_id::text, org_id::text, type, threshold, name, picture, off_since IS NOT NULL
FROM badge_definitions
ORDER BY threshold, badge_id;

-- name: organisations_of_mentors --
SELECT mentor_id::text, org_id::text
FROM mentors
WHERE mentor_id = ANY(%(mentor_ids)s::uuid[]);

-- name: badges_held --
SELECT org_id::text, mentor_id::text, badge_id::text
FROM badge_awards
INNER JOIN unnest(%(org_ids)s::uuid[], %(mentor_ids)s::uuid[]) AS batch (org_id, mentor_id) USING (org_id, mentor_id);

-- name: save_decisions --
-- Awards and audit in one statement: a decision reads 'awarded' if and only if its award was inserted here. Of two
-- instances that decide at once the second finds the row and its decision becomes 'already_held'.
WITH batch AS (
    SELECT *
    FROM unnest(
        %(org_ids)s::uuid[], %(mentor_ids)s::uuid[], %(thresholds)s::bigint[], %(milestone_ids)s::uuid[],
        %(badge_ids)s::uuid[], %(reasons)s::text[], %(confirmed_counts)s::bigint[]
    ) AS decision (org_id, mentor_id, milestone_threshold, milestone_id, badge_id, reason, confirmed_count)
    ORDER BY org_id, mentor_id, milestone_threshold, badge_id
),
awarded AS (
    INSERT INTO badge_awards (org_id, mentor_id, badge_id, milestone_id, confirmed_count)
    SELECT org_id, mentor_id, badge_id, milestone_id, confirmed_count
    FROM batch
    WHERE reason = 'awarded'
    ON CONFLICT DO NOTHING
    RETURNING org_id, mentor_id, badge_id
),
decided AS (
    INSERT INTO badge_decisions (
        org_id, mentor_id, milestone_threshold, milestone_id, badge_id, reason, confirmed_count
    )
    SELECT
        batch.org_id,
        batch.mentor_id,
        batch.milestone_threshold,
        batch.milestone_id,
        batch.badge_id,
        CASE WHEN batch.reason = 'awarded' AND awarded.badge_id IS NULL THEN 'already_held' ELSE batch.reason END,
        batch.confirmed_count
    FROM batch
    LEFT JOIN awarded USING (org_id, mentor_id, badge_id)
    ON CONFLICT (org_id, mentor_id, milestone_threshold, badge_id) DO UPDATE
    SET reason = excluded.reason, decided_at = now()
    WHERE
        badge_decisions.reason NOT IN ('awarded', 'already_held')
        AND badge_decisions.reason <> excluded.reason
)
SELECT org_id::text, mentor_id::text, badge_id::text FROM awarded;

-- name: issued_codes --
-- What is known of the codes and of the mentors of a batch.
SELECT referral_code, org_id::text, mentor_id::text
FROM referral_codes
WHERE referral_code = ANY(%(referral_codes)s::text[])
UNION
SELECT referral_code, org_id::text, mentor_id::text
FROM referral_codes
INNER JOIN unnest(%(org_ids)s::uuid[], %(mentor_ids)s::uuid[]) AS batch (org_id, mentor_id) USING (org_id, mentor_id);

-- name: insert_codes --
-- Organisations, mentors and codes of a batch, all of it new as far as this transaction saw. Returns the codes that
-- were inserted; fewer than given means that another instance was first.
WITH batch AS (
    SELECT *
    FROM unnest(
        %(referral_codes)s::text[], %(org_ids)s::uuid[], %(mentor_ids)s::uuid[], %(issued_ats)s::timestamptz[]
    ) AS code (referral_code, org_id, mentor_id, issued_at)
),
new_organisations AS (
    INSERT INTO organisations (org_id)
    SELECT DISTINCT org_id FROM batch ORDER BY org_id
    ON CONFLICT DO NOTHING
),
new_mentors AS (
    INSERT INTO mentors (org_id, mentor_id)
    SELECT org_id, mentor_id FROM batch ORDER BY org_id, mentor_id
    ON CONFLICT DO NOTHING
)
INSERT INTO referral_codes (referral_code, org_id, mentor_id, issued_at)
SELECT referral_code, org_id, mentor_id, issued_at FROM batch ORDER BY referral_code
ON CONFLICT DO NOTHING
RETURNING referral_code;

-- name: upsert_counts --
-- Of two records of one partition the one with the higher offset is the newer. In two partitions a mentor's records are
-- only after partitions were added to the topic: then those where his key belongs now are the newer, and of two that are
-- both elsewhere the one that was counted later. Nothing was counted after it is projected, whatever a worker's clock
-- says. Triggers keep the organisations' sums (migration 0006).
INSERT INTO mentor_counts (
    org_id, mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate,
    by_channel, milestones, last_event_at, counted_at, topic_partition, topic_offset, key_partition
)
SELECT
    org_id, mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate,
    by_channel::jsonb, milestones::integer[], last_event_at, least(coalesce(to_timestamp(counted_ms / 1000.0), now()), now()),
    topic_partition, topic_offset, key_partition
FROM unnest(
    %(org_ids)s::uuid[], %(mentor_ids)s::uuid[], %(referral_codes)s::text[], %(total_clicks)s::bigint[],
    %(pending_attributions)s::bigint[], %(confirmed_attributions)s::bigint[], %(conversion_rates)s::float8[],
    %(by_channels)s::text[], %(milestones)s::text[], %(last_event_ats)s::timestamptz[],
    %(counted_mss)s::bigint[], %(topic_partitions)s::integer[], %(topic_offsets)s::bigint[],
    %(key_partitions)s::integer[]
) AS batch (
    org_id, mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate,
    by_channel, milestones, last_event_at, counted_ms, topic_partition, topic_offset, key_partition
)
ORDER BY org_id, mentor_id
ON CONFLICT (org_id, mentor_id) DO UPDATE
SET
    referral_code = excluded.referral_code,
    total_clicks = excluded.total_clicks,
    pending_attributions = excluded.pending_attributions,
    confirmed_attributions = excluded.confirmed_attributions,
    conversion_rate = excluded.conversion_rate,
    by_channel = excluded.by_channel,
    milestones = excluded.milestones,
    last_event_at = excluded.last_event_at,
    counted_at = excluded.counted_at,
    topic_partition = excluded.topic_partition,
    topic_offset = excluded.topic_offset,
    key_partition = excluded.key_partition,
    projected_at = now()
WHERE
    CASE
        WHEN mentor_counts.topic_partition = excluded.topic_partition
            THEN mentor_counts.topic_offset < excluded.topic_offset
        WHEN excluded.topic_partition = excluded.key_partition THEN true
        WHEN mentor_counts.topic_partition = excluded.key_partition THEN false
        ELSE mentor_counts.counted_at < excluded.counted_at
    END;

-- name: forget_order --
-- From this offset on the partition's records are others than those that were projected: the topic was made anew, or its
-- end was lost. What the rows say stays until there is something new; it is older than whatever comes.
UPDATE mentor_counts
SET topic_offset = %(next_offset)s - 1
WHERE topic_partition = %(topic_partition)s AND topic_offset >= %(next_offset)s;

-- name: claim_positions --
-- Whoever held these partitions before can write nothing any more.
INSERT INTO sink_positions (consumer, topic, topic_partition)
SELECT %(consumer)s, topic, topic_partition
FROM unnest(%(topics)s::text[], %(partitions)s::integer[]) AS batch (topic, topic_partition)
ORDER BY topic, topic_partition
ON CONFLICT (consumer, topic, topic_partition) DO UPDATE
SET claim = sink_positions.claim + 1, claimed_at = now()
RETURNING topic, topic_partition, topic_id, next_offset, read_before, claim;

-- name: move_positions --
-- Returns those that are still claimed by whom we take ourselves for, and are where we have moved them; a database that
-- went back in time beneath us has others. A position without a new offset is only held.
UPDATE sink_positions
SET
    next_offset = coalesce(batch.next_offset, sink_positions.next_offset),
    topic_id = coalesce(batch.topic_id, sink_positions.topic_id),
    read_before = coalesce(batch.read_before, sink_positions.read_before),
    former_records = sink_positions.former_records + coalesce(batch.former_records, 0),
    moved_at = CASE WHEN batch.next_offset IS NULL THEN sink_positions.moved_at ELSE now() END
FROM unnest(
    %(topics)s::text[], %(partitions)s::integer[], %(claims)s::bigint[], %(next_offsets)s::bigint[],
    %(topic_ids)s::text[], %(read_befores)s::bigint[], %(former_records)s::bigint[], %(expected)s::bigint[]
) AS batch (topic, topic_partition, claim, next_offset, topic_id, read_before, former_records, expected)
WHERE
    sink_positions.consumer = %(consumer)s
    AND sink_positions.topic = batch.topic
    AND sink_positions.topic_partition = batch.topic_partition
    AND sink_positions.claim = batch.claim
    AND sink_positions.next_offset IS NOT DISTINCT FROM batch.expected
RETURNING sink_positions.topic, sink_positions.topic_partition;

-- name: has_milestones --
SELECT EXISTS (SELECT FROM milestones);

-- name: has_counts --
SELECT EXISTS (SELECT FROM mentor_counts);

-- name: applied_migrations --
SELECT migration_id FROM _yoyo_migration;

-- name: blockers --
-- Who keeps a session of ours waiting; what another user's session does is hidden from most.
SELECT pid, coalesce(nullif(application_name, ''), usename, 'unnamed'), coalesce(state, 'state not visible')
FROM pg_stat_activity
WHERE pid = ANY(pg_blocking_pids(%(pid)s::integer))
ORDER BY pid;

-- name: announced_thresholds --
SELECT threshold FROM milestone_thresholds ORDER BY threshold;

-- name: announce_thresholds --
WITH gone AS (
    DELETE FROM milestone_thresholds WHERE threshold <> ALL(%(thresholds)s::bigint[])
)
INSERT INTO milestone_thresholds (threshold)
SELECT unnest(%(thresholds)s::bigint[])
ON CONFLICT DO NOTHING;

-- name: add_mentor --
SELECT add_made_up_mentor(%(org_id)s::uuid, %(mentor_id)s::uuid);

-- name: hold_history --
-- Two who write what happened wait for each other here, and nowhere in a circle (migration 0021).
SELECT pg_advisory_xact_lock(8242, 7);

-- name: has_history --
SELECT EXISTS (SELECT FROM organisation_quarter_hours);

-- name: organisations_of_codes --
SELECT referral_code, org_id::text FROM referral_codes WHERE referral_code = ANY(%(codes)s::text[]);

-- name: history_channels --
SELECT org_id::text, channel FROM history_channels WHERE org_id = ANY(%(org_ids)s::uuid[]);

-- name: add_history_channels --
INSERT INTO history_channels (org_id, channel)
SELECT org_id, channel FROM unnest(%(org_ids)s::uuid[], %(channels)s::text[]) AS batch (org_id, channel)
ON CONFLICT DO NOTHING;

-- name: add_clicks --
INSERT INTO organisation_quarter_hours AS known (org_id, begins_at, channel, clicks)
SELECT org_id, to_timestamp(quarter_hour * 900.0), channel, clicks
FROM unnest(%(org_ids)s::uuid[], %(quarter_hours)s::bigint[], %(channels)s::text[], %(clicks)s::bigint[])
    AS batch (org_id, quarter_hour, channel, clicks)
ON CONFLICT (org_id, begins_at, channel) DO UPDATE
SET clicks = known.clicks + excluded.clicks;

-- name: merge_pairs --
-- The earliest and the latest of what was known and what has come; a pair that learns nothing is left as it is. Where the first
-- confirmation stands is not known of one that was kept without it (migration 0041): a later one is another.
INSERT INTO registration_pairs AS known (
    org_id, pair, referral_code, channel, pending_at, confirmed_at, confirmed_last_at, withdrawn_at, confirmed_partition,
    confirmed_offset, confirmed_by
)
SELECT
    org_id, pair, referral_code, channel,
    'epoch'::timestamptz + pending_us * interval '1 microsecond',
    'epoch'::timestamptz + confirmed_us * interval '1 microsecond',
    'epoch'::timestamptz + confirmed_last_us * interval '1 microsecond',
    'epoch'::timestamptz + withdrawn_us * interval '1 microsecond',
    confirmed_partition,
    confirmed_offset,
    confirmed_by
FROM unnest(
    %(org_ids)s::uuid[], %(pairs)s::uuid[], %(codes)s::text[], %(channels)s::text[], %(pending)s::bigint[],
    %(confirmed)s::bigint[], %(confirmed_last)s::bigint[], %(withdrawn)s::bigint[], %(confirmed_partition)s::integer[],
    %(confirmed_offset)s::bigint[], %(confirmed_by)s::uuid[]
) AS batch (
    org_id, pair, referral_code, channel, pending_us, confirmed_us, confirmed_last_us, withdrawn_us, confirmed_partition,
    confirmed_offset, confirmed_by
)
ON CONFLICT (org_id, pair) DO UPDATE
SET
    pending_at = least(known.pending_at, excluded.pending_at),
    confirmed_at = least(known.confirmed_at, excluded.confirmed_at),
    confirmed_last_at = greatest(known.confirmed_last_at, excluded.confirmed_last_at),
    withdrawn_at = greatest(known.withdrawn_at, excluded.withdrawn_at),
    (confirmed_partition, confirmed_offset, confirmed_by) = (
        SELECT first.confirmed_partition, first.confirmed_offset, first.confirmed_by
        FROM (
            SELECT known.confirmed_partition, known.confirmed_offset, known.confirmed_by
            WHERE known.confirmed_at IS NOT NULL AND (excluded.confirmed_offset < known.confirmed_offset) IS NOT TRUE
            UNION ALL
            SELECT excluded.confirmed_partition, excluded.confirmed_offset, excluded.confirmed_by
            LIMIT 1
        ) AS first
    )
WHERE
    known.erased_at IS NULL
    AND (
        (known.pending_at, known.confirmed_at, known.confirmed_last_at, known.withdrawn_at) IS DISTINCT FROM (
            least(known.pending_at, excluded.pending_at),
            least(known.confirmed_at, excluded.confirmed_at),
            greatest(known.confirmed_last_at, excluded.confirmed_last_at),
            greatest(known.withdrawn_at, excluded.withdrawn_at)
        )
        OR excluded.confirmed_offset < known.confirmed_offset
    );

-- name: erase_pairs --
-- A pair of which nothing has come yet has a row all the same: what comes is to find it erased.
INSERT INTO registration_pairs AS known (org_id, pair, referral_code, channel, erased_at)
SELECT org_id, pair, referral_code, 'unknown', 'epoch'::timestamptz + erased_us * interval '1 microsecond'
FROM unnest(%(org_ids)s::uuid[], %(pairs)s::uuid[], %(codes)s::text[], %(times)s::bigint[])
    AS batch (org_id, pair, referral_code, erased_us)
ON CONFLICT (org_id, pair) DO UPDATE
SET erased_at = excluded.erased_at
WHERE known.erased_at IS NULL;

-- name: keep_waiting --
INSERT INTO history_waiting (
    org_id, topic, topic_partition, topic_offset, referral_code, pair, status, occurred_us, channel, attribution
)
SELECT *
FROM unnest(
    %(org_ids)s::uuid[], %(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[], %(codes)s::text[],
    %(pairs)s::uuid[], %(statuses)s::text[], %(times)s::bigint[], %(channels)s::text[],
    %(attributions)s::uuid[]
) AS batch
WHERE (SELECT count(*) FROM history_waiting) < %(most)s
ON CONFLICT DO NOTHING;

-- name: take_waiting --
-- What waited for codes that have been issued meanwhile, in the order in which it came.
WITH taken AS (
    DELETE FROM history_waiting
    WHERE referral_code IN (
        SELECT referral_code FROM history_waiting INNER JOIN referral_codes USING (referral_code) LIMIT 1000
    )
    RETURNING *
)
SELECT
    topic, topic_partition, topic_offset, referral_code, org_id::text, pair::text, status, occurred_us, channel,
    attribution::text
FROM taken
ORDER BY topic, topic_partition, topic_offset;

-- name: forget_waiting --
DELETE FROM history_waiting WHERE since < now() - %(age_s)s * interval '1 second';

-- name: has_waiting --
SELECT EXISTS (SELECT FROM history_waiting);

-- name: has_letters --
SELECT EXISTS (SELECT FROM dead_letters);

-- name: hold_letters --
-- A note and the dead letter that it is of may be read at once by two processes: neither would see the other.
SELECT pg_advisory_xact_lock(8242, 10);

-- name: add_letters --
INSERT INTO dead_letters AS known (
    org_id, topic_partition, topic_offset, written_at, reason, message, stage, source_topic, source_partition,
    source_offset, referral_code, is_code_issued, records, value_bytes, is_again, record_digest, replayed_at
)
SELECT
    coalesce(code.org_id, named.org_id),
    topic_partition,
    topic_offset,
    written_at,
    reason,
    message,
    stage,
    source_topic,
    source_partition,
    source_offset,
    batch.referral_code,
    code.org_id IS NOT NULL,
    records,
    value_bytes,
    is_again,
    batch.record_digest,
    replay.replayed_at
FROM unnest(
    %(partitions)s::integer[], %(offsets)s::bigint[], %(times)s::timestamptz[], %(reasons)s::text[],
    %(messages)s::text[], %(stages)s::text[], %(source_topics)s::text[], %(source_partitions)s::integer[],
    %(source_offsets)s::bigint[], %(codes)s::text[], %(named_orgs)s::uuid[], %(records)s::bigint[], %(sizes)s::bigint[],
    %(agains)s::boolean[], %(digests)s::uuid[]
) AS batch (
    topic_partition, topic_offset, written_at, reason, message, stage, source_topic, source_partition, source_offset,
    referral_code, named_org_id, records, value_bytes, is_again, record_digest
)
LEFT JOIN referral_codes AS code ON code.referral_code = batch.referral_code
LEFT JOIN organisations AS named ON named.org_id = batch.named_org_id
LEFT JOIN dead_letter_replays AS replay ON replay.record_digest = batch.record_digest
ON CONFLICT (topic_partition, topic_offset) DO UPDATE
SET
    org_id = excluded.org_id,
    written_at = excluded.written_at,
    reason = excluded.reason,
    message = excluded.message,
    stage = excluded.stage,
    source_topic = excluded.source_topic,
    source_partition = excluded.source_partition,
    source_offset = excluded.source_offset,
    referral_code = excluded.referral_code,
    is_code_issued = excluded.is_code_issued,
    records = excluded.records,
    value_bytes = excluded.value_bytes,
    is_again = excluded.is_again,
    record_digest = excluded.record_digest,
    replayed_at = excluded.replayed_at
WHERE known.record_digest <> excluded.record_digest
RETURNING org_id::text;

-- name: bound_letters --
-- Of an organisation the latest stay.
DELETE FROM dead_letters
USING (
    SELECT written_at, topic_partition, topic_offset
    FROM dead_letters
    WHERE org_id = %(org_id)s
    ORDER BY written_at DESC, topic_partition, topic_offset
    OFFSET %(most)s
    LIMIT 1
) AS first_beyond
WHERE
    dead_letters.org_id = %(org_id)s
    AND dead_letters.written_at <= first_beyond.written_at
    AND (
        dead_letters.written_at < first_beyond.written_at
        OR (dead_letters.topic_partition, dead_letters.topic_offset)
        >= (first_beyond.topic_partition, first_beyond.topic_offset)
    );

-- name: bound_letters_of_nobody --
-- The same of the installation; IS NOT DISTINCT FROM would use no index.
DELETE FROM dead_letters
USING (
    SELECT written_at, topic_partition, topic_offset
    FROM dead_letters
    WHERE org_id IS NULL
    ORDER BY written_at DESC, topic_partition, topic_offset
    OFFSET %(most)s
    LIMIT 1
) AS first_beyond
WHERE
    dead_letters.org_id IS NULL
    AND dead_letters.written_at <= first_beyond.written_at
    AND (
        dead_letters.written_at < first_beyond.written_at
        OR (dead_letters.topic_partition, dead_letters.topic_offset)
        >= (first_beyond.topic_partition, first_beyond.topic_offset)
    );

-- name: note_replays --
WITH sent AS (
    SELECT * FROM unnest(%(digests)s::uuid[], %(times)s::timestamptz[]) AS batch (record_digest, replayed_at)
),
noted AS (
    INSERT INTO dead_letter_replays (record_digest, replayed_at)
    SELECT record_digest, replayed_at FROM sent
    ON CONFLICT (record_digest) DO NOTHING
)
UPDATE dead_letters
SET replayed_at = sent.replayed_at
FROM sent
WHERE dead_letters.record_digest = sent.record_digest AND dead_letters.replayed_at IS NULL;

-- name: claim_letters --
-- What came of codes that were not issued then goes to the organisation to which they are.
UPDATE dead_letters
SET org_id = code.org_id, is_code_issued = true
FROM referral_codes AS code
WHERE
    NOT dead_letters.is_code_issued
    AND dead_letters.referral_code IS NOT NULL
    AND code.referral_code = dead_letters.referral_code;

-- name: forget_letters --
DELETE FROM dead_letters WHERE written_at < now() - %(days)s * interval '1 day';

-- name: forget_replays --
DELETE FROM dead_letter_replays WHERE replayed_at < now() - %(days)s * interval '1 day';
