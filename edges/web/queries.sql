-- What the HTTP side reads for its answers. A heading names a statement; `edges.web.queries.statement` finds it by that name.
-- Each runs for one organisation (row-level security shows no other), in one round trip, and costs the same in an
-- organisation of 100,000 mentors as in a small one: it reads sums (migration 0006) or a bounded part of an index.
-- tests/integration/test_web_plans.py looks at the plans.

-- name: attribution_counts --
-- One row: whether the mentor is known, and his counts; no counts where he has none.
SELECT
    EXISTS (SELECT FROM mentors WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    total_clicks,
    pending_attributions,
    confirmed_attributions,
    counted_at
FROM (SELECT) AS once
LEFT JOIN mentor_counts ON org_id = %(org_id)s AND mentor_id = %(mentor_id)s;

-- name: attribution_counts_of_channel --
-- The same in one channel.
SELECT
    EXISTS (SELECT FROM mentors WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    (by_channel -> %(channel)s ->> 'clicks')::bigint,
    (by_channel -> %(channel)s ->> 'pending')::bigint,
    (by_channel -> %(channel)s ->> 'confirmed')::bigint,
    counted_at
FROM (SELECT) AS once
LEFT JOIN mentor_counts ON org_id = %(org_id)s AND mentor_id = %(mentor_id)s;

-- name: mentor --
-- One row: whether he is known, his code, since when its link is disabled, his confirmed count, and the badge that he
-- earns next: the lowest above his count that he does not hold, and the count at which a milestone brings it. What no milestone brings, or is
-- switched off, is not promised.
SELECT
    EXISTS (SELECT FROM mentors WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    (SELECT referral_code FROM referral_codes WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    (SELECT disabled_at FROM referral_codes WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    counts.confirmed,
    badge.name,
    badge.picture,
    badge.comes_at,
    (SELECT display_name FROM mentor_names WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    (SELECT group_name FROM mentor_names WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s)
FROM (
    SELECT coalesce(
        (SELECT confirmed_attributions FROM mentor_counts WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s), 0
    ) AS confirmed
) AS counts
LEFT JOIN LATERAL (
    SELECT name, picture, comes_at
    FROM badge_definitions
    CROSS JOIN LATERAL milestone_for(threshold) AS comes_at
    WHERE
        (org_id = %(org_id)s OR org_id IS NULL)
        AND type = 'recruitment'
        AND off_since IS NULL
        AND comes_at > counts.confirmed
        AND NOT EXISTS (
            SELECT FROM badge_awards
            WHERE
                badge_awards.org_id = %(org_id)s
                AND badge_awards.mentor_id = %(mentor_id)s
                AND badge_awards.badge_id = badge_definitions.badge_id
        )
    ORDER BY comes_at, threshold, badge_id
    LIMIT 1
) AS badge ON true;

-- name: mentors_found --
-- Who has this code, whose ids begin and end so (ids are uuids, so a beginning is a part of the index), then by their
-- names those whose names do. A name has several keys (models/names.py), and so many are read for each that is told.
SELECT mentor_id, referral_code, display_name, group_name
FROM (
    SELECT mentor_id, min(name_key) AS name_key
    FROM (
        SELECT mentor_id, '' COLLATE "C" AS name_key
        FROM referral_codes
        WHERE org_id = %(org_id)s AND referral_code = %(code)s
        UNION ALL
        (
            SELECT mentor_id, ''
            FROM mentors
            WHERE
                org_id = %(org_id)s
                AND mentor_id BETWEEN %(first)s AND %(last)s
                AND right(mentor_id::text, length(%(ending)s)) = %(ending)s
            ORDER BY mentor_id
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT mentor_id, name_key
            FROM mentor_name_keys
            WHERE org_id = %(org_id)s AND name_key >= %(named)s AND name_key < %(named_end)s
            ORDER BY name_key, mentor_id
            LIMIT %(limit)s * %(keys)s
        )
    ) AS every
    GROUP BY mentor_id
    ORDER BY name_key, mentor_id
    LIMIT %(limit)s
) AS found
LEFT JOIN LATERAL (
    SELECT referral_code
    FROM referral_codes
    WHERE referral_codes.org_id = %(org_id)s AND referral_codes.mentor_id = found.mentor_id
    OFFSET 0
) AS code ON true
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE mentor_names.org_id = %(org_id)s AND mentor_names.mentor_id = found.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY name_key, mentor_id;

-- name: milestones_of_mentor --
-- No row: the mentor is not known. One with nothing: he has reached none. An event may say that it occurred at times
-- that no calendar of the readers has; they are bounded.
SELECT
    milestone_threshold,
    confirmed_count,
    greatest(least(reached_at, '9999-12-30Z'), '0001-01-02Z'),
    recorded_at
FROM mentors
LEFT JOIN milestones USING (org_id, mentor_id)
WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s
ORDER BY milestone_threshold;

-- name: awards_of_mentor --
-- No row: the mentor is not known. One with nothing: he holds none.
SELECT badge_id, coalesce(name, ''), coalesce(picture, 'medal'), confirmed_count, awarded_at
FROM mentors
LEFT JOIN badge_awards USING (org_id, mentor_id)
LEFT JOIN badge_definitions USING (badge_id)
WHERE mentors.org_id = %(org_id)s AND mentors.mentor_id = %(mentor_id)s
ORDER BY threshold, badge_id;

-- name: award_to_take_along --
SELECT
    badge_definitions.name,
    badge_definitions.threshold,
    awarded_at,
    (SELECT name FROM organisations WHERE org_id = %(org_id)s),
    (SELECT display_name FROM mentor_names WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s)
FROM badge_awards
JOIN badge_definitions USING (badge_id)
WHERE badge_awards.org_id = %(org_id)s AND mentor_id = %(mentor_id)s AND badge_id = %(badge_id)s;

-- name: award_explained --
-- An award, the milestone that brought it where one is recorded, and the mentor's code and clicks.
SELECT
    badge_definitions.name,
    badge_definitions.threshold,
    award.confirmed_count,
    award.awarded_at,
    award.back_filled,
    milestone.milestone_threshold,
    milestone.milestone_id,
    milestone.attribution_id,
    greatest(least(milestone.reached_at, '9999-12-30Z'), '0001-01-02Z'),
    milestone.recorded_at,
    code.referral_code,
    coalesce(mentor_counts.total_clicks, 0),
    mentor_counts.by_channel
FROM badge_awards AS award
INNER JOIN badge_definitions USING (badge_id)
LEFT JOIN LATERAL (
    SELECT milestone_threshold, milestone_id, attribution_id, reached_at, recorded_at
    FROM milestones
    WHERE
        milestones.org_id = %(org_id)s
        AND milestones.mentor_id = %(mentor_id)s
        AND milestones.milestone_id = award.milestone_id
    OFFSET 0
) AS milestone ON true
LEFT JOIN LATERAL (
    SELECT referral_code
    FROM referral_codes
    WHERE referral_codes.org_id = %(org_id)s AND referral_codes.mentor_id = %(mentor_id)s
    OFFSET 0
) AS code ON true
LEFT JOIN mentor_counts ON mentor_counts.org_id = %(org_id)s AND mentor_counts.mentor_id = %(mentor_id)s
WHERE award.org_id = %(org_id)s AND award.mentor_id = %(mentor_id)s AND award.badge_id = %(badge_id)s;

-- name: confirmed_until --
-- Members of a code who were confirmed until then, the latest first: of each when, and where the registration stands.
SELECT
    greatest(least(least(pending_at, confirmed_at), '9999-12-30Z'), '0001-01-02Z'),
    greatest(least(confirmed_at, '9999-12-30Z'), '0001-01-02Z'),
    CASE
        WHEN withdrawn_at >= confirmed_last_at THEN greatest(least(withdrawn_at, '9999-12-30Z'), '0001-01-02Z')
    END,
    channel,
    confirmed_partition,
    confirmed_offset,
    confirmed_by
FROM registration_pairs
WHERE org_id = %(org_id)s AND referral_code = %(code)s AND confirmed_at <= %(until)s
ORDER BY confirmed_at DESC
LIMIT %(limit)s;

-- name: dead_letters_counted --
SELECT
    reason,
    source_topic,
    count(*) FILTER (WHERE replayed_at IS NULL),
    count(*) FILTER (WHERE replayed_at IS NOT NULL)
FROM dead_letters
WHERE
    org_id = %(org_id)s
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(topic)s::text IS NULL OR source_topic = %(topic)s)
    AND (%(code)s::text IS NULL OR referral_code = %(code)s)
    AND written_at >= %(since)s
    AND written_at < %(until)s
    AND (NOT %(open)s OR replayed_at IS NULL)
GROUP BY reason, source_topic
ORDER BY reason, source_topic;

-- name: dead_letters_listed --
-- A page after a place, the latest first.
SELECT
    topic_partition, topic_offset, written_at, reason, message, stage, source_topic, source_partition, source_offset,
    referral_code, records, value_bytes, is_again, replayed_at
FROM dead_letters
WHERE
    org_id = %(org_id)s
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(topic)s::text IS NULL OR source_topic = %(topic)s)
    AND (%(code)s::text IS NULL OR referral_code = %(code)s)
    AND written_at >= %(since)s
    AND written_at < %(until)s
    AND (NOT %(open)s OR replayed_at IS NULL)
    AND written_at <= %(after_at)s
    AND (written_at < %(after_at)s OR (topic_partition, topic_offset) > (%(after_partition)s, %(after_offset)s))
ORDER BY written_at DESC, topic_partition, topic_offset
LIMIT %(limit)s;

-- name: dead_letter --
SELECT
    topic_partition, topic_offset, written_at, reason, message, stage, source_topic, source_partition, source_offset,
    referral_code, records, value_bytes, is_again, replayed_at
FROM dead_letters
WHERE org_id = %(org_id)s AND topic_partition = %(partition)s AND topic_offset = %(offset)s;

-- name: dead_letters_named --
-- Of these the organisation's own, each with what its record is known by.
SELECT topic_partition, topic_offset, record_digest
FROM unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS named (topic_partition, topic_offset)
INNER JOIN dead_letters USING (topic_partition, topic_offset)
WHERE org_id = %(org_id)s;

-- name: summary --
-- One row, also of an organisation that nothing is known of.
SELECT
    (SELECT name FROM organisations WHERE org_id = %(org_id)s),
    (SELECT total FROM organisation_totals WHERE org_id = %(org_id)s AND counted = 'mentors'),
    (SELECT total FROM organisation_totals WHERE org_id = %(org_id)s AND counted = 'milestones'),
    (SELECT total FROM organisation_totals WHERE org_id = %(org_id)s AND counted = 'awards'),
    (SELECT sum(clicks)::bigint FROM filtered_clicks WHERE org_id = %(org_id)s),
    active_mentors,
    total_clicks,
    pending_attributions,
    confirmed_attributions,
    clicks,
    registered,
    confirmed,
    withdrawn,
    updated_at
FROM (SELECT) AS once
LEFT JOIN organisation_counts ON organisation_counts.org_id = %(org_id)s
LEFT JOIN organisation_history_totals ON organisation_history_totals.org_id = %(org_id)s;

-- name: leaderboard --
-- The first page. Names are looked up for those who are on it.
SELECT page.*, display_name, group_name
FROM (
    SELECT mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate
    FROM mentor_counts
    WHERE org_id = %(org_id)s
    ORDER BY confirmed_attributions DESC, mentor_id
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY confirmed_attributions DESC, mentor_id;

-- name: leaderboard_after --
-- The page after a mentor: those with as many as he whose ids follow, then those with fewer. As one condition with OR
-- it would read all with as many as he from their beginning, and half of an organisation may have none.
SELECT page.*, display_name, group_name
FROM (
    SELECT *
    FROM (
        (
            SELECT mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate
            FROM mentor_counts
            WHERE org_id = %(org_id)s AND confirmed_attributions = %(confirmed)s AND mentor_id > %(mentor_id)s
            ORDER BY mentor_id
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate
            FROM mentor_counts
            WHERE org_id = %(org_id)s AND confirmed_attributions < %(confirmed)s
            ORDER BY confirmed_attributions DESC, mentor_id
            LIMIT %(limit)s
        )
    ) AS following
    ORDER BY confirmed_attributions DESC, mentor_id
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY confirmed_attributions DESC, mentor_id;

-- name: leaderboard_of_group --
-- The same of one group, after a place; the first page is after one before all.
SELECT
    page.mentor_id,
    referral_code,
    coalesce(total_clicks, 0),
    coalesce(pending_attributions, 0),
    page.confirmed,
    coalesce(conversion_rate, 0),
    display_name,
    group_name
FROM (
    SELECT *
    FROM (
        (
            SELECT mentor_id, confirmed
            FROM mentor_standings
            WHERE
                org_id = %(org_id)s
                AND group_key = %(group)s
                AND is_active
                AND confirmed = %(confirmed)s
                AND mentor_id > %(mentor_id)s
            ORDER BY mentor_id
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT mentor_id, confirmed
            FROM mentor_standings
            WHERE org_id = %(org_id)s AND group_key = %(group)s AND is_active AND confirmed < %(confirmed)s
            ORDER BY confirmed DESC, mentor_id
            LIMIT %(limit)s
        )
    ) AS following
    ORDER BY confirmed DESC, mentor_id
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT referral_code, total_clicks, pending_attributions, conversion_rate
    FROM mentor_counts
    WHERE org_id = %(org_id)s AND mentor_counts.mentor_id = page.mentor_id
    OFFSET 0
) AS counts ON true
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY page.confirmed DESC, page.mentor_id;

-- name: groups --
-- What groups there are, from one to the next by index.
WITH RECURSIVE called (group_name) AS (
    (
        SELECT group_name
        FROM mentor_names
        WHERE org_id = %(org_id)s AND group_name IS NOT NULL
        ORDER BY group_name
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT following.group_name
        FROM mentor_names AS following
        WHERE following.org_id = %(org_id)s AND following.group_name > called.group_name
        ORDER BY following.group_name
        LIMIT 1
    )
    FROM called
    WHERE called.group_name IS NOT NULL
)
SELECT group_name FROM called WHERE group_name IS NOT NULL LIMIT %(limit)s;

-- name: daily --
SELECT day, clicks, pending, confirmed
FROM organisation_days
WHERE org_id = %(org_id)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY day;

-- name: channels --
-- The busiest, and first, with no name, the sums of all.
SELECT NULL AS channel, total_clicks AS clicks, pending_attributions, confirmed_attributions
FROM organisation_counts
WHERE org_id = %(org_id)s
UNION ALL
(
    SELECT channel, clicks, pending, confirmed
    FROM organisation_channels
    WHERE org_id = %(org_id)s
    ORDER BY clicks DESC, channel
    LIMIT %(limit)s
);

-- name: activity --
-- The latest milestones, then the latest awards. Milestones whose mentor is not known here are left out: they are early,
-- or forged.
SELECT latest.*, display_name
FROM (
    (
        SELECT
            false AS is_award,
            milestone_threshold,
            NULL AS badge_id,
            NULL AS badge_name,
            NULL AS picture,
            mentor_id,
            confirmed_count,
            greatest(least(reached_at, '9999-12-30Z'), '0001-01-02Z') AS reached_at,
            recorded_at
        FROM milestones
        WHERE org_id = %(org_id)s AND state <> 'awaiting_mentor'
        ORDER BY recorded_at DESC, mentor_id, milestone_threshold
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT
            true,
            NULL,
            badge_id,
            coalesce((SELECT name FROM badge_definitions WHERE badge_definitions.badge_id = badge_awards.badge_id), ''),
            coalesce(
                (SELECT picture FROM badge_definitions WHERE badge_definitions.badge_id = badge_awards.badge_id), 'medal'
            ),
            mentor_id,
            confirmed_count,
            NULL,
            awarded_at
        FROM badge_awards
        WHERE org_id = %(org_id)s
        ORDER BY awarded_at DESC, mentor_id, badge_id
        LIMIT %(limit)s
    )
) AS latest
LEFT JOIN LATERAL (
    SELECT display_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = latest.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY is_award, recorded_at DESC, mentor_id, milestone_threshold, badge_id;

-- name: export --
-- A page of the mentors after one, by id. OFFSET 0 keeps each mentor's rows a look-up of their own: joined as a whole, every
-- page would read the tables from the organisation's beginning.
SELECT
    page.mentor_id,
    referral_code,
    coalesce(total_clicks, 0),
    coalesce(pending_attributions, 0),
    coalesce(confirmed_attributions, 0),
    coalesce(conversion_rate, 0),
    coalesce(array_to_string(milestones, ' '), ''),
    held.badges,
    to_char(last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    display_name,
    group_name
FROM (
    SELECT mentor_id
    FROM mentors
    WHERE org_id = %(org_id)s AND mentor_id > %(after)s
    ORDER BY mentor_id
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT referral_code
    FROM referral_codes
    WHERE org_id = %(org_id)s AND mentor_id = page.mentor_id
    OFFSET 0
) AS code ON true
LEFT JOIN LATERAL (
    SELECT total_clicks, pending_attributions, confirmed_attributions, conversion_rate, milestones, last_event_at
    FROM mentor_counts
    WHERE org_id = %(org_id)s AND mentor_id = page.mentor_id
    OFFSET 0
) AS counts ON true
LEFT JOIN LATERAL (
    SELECT array_agg(name ORDER BY threshold, badge_id) AS badges
    FROM badge_awards
    INNER JOIN badge_definitions USING (badge_id)
    WHERE badge_awards.org_id = %(org_id)s AND badge_awards.mentor_id = page.mentor_id
) AS held ON true
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY page.mentor_id;

-- name: reconciliation --
-- The latest runs of reconciliation, the latest first.
SELECT
    source,
    started_at,
    finished_at,
    members_read,
    matched,
    back_filled,
    withdrawn,
    members_read - matched - back_filled - withdrawn - unclear - bad_rows AS unchanged,
    unclear,
    bad_rows,
    error,
    incomplete,
    fault,
    rows_left,
    reasons_left,
    ask_again_at
FROM reconciliation_runs
WHERE org_id = %(org_id)s
ORDER BY started_at DESC
LIMIT %(limit)s;

-- name: mentors_listed --
-- Some of the mentors, by one of the keys of edges/web/lists.py, which fills in what is in braces: a range of an index after a
-- place. What else is told of them is looked up for those who are on the page.
SELECT
    page.mentor_id,
    referral_code,
    display_name,
    group_name,
    coalesce(total_clicks, 0),
    coalesce(pending_attributions, 0),
    coalesce(confirmed_attributions, 0),
    CASE WHEN is_active THEN quiet_since END,
    pending_days[1],
    pending_days,
    place
FROM (
    SELECT mentor_id, is_active, quiet_since, pending_days, {key} AS place
    FROM mentor_standings
    WHERE
        org_id = %(org_id)s
        AND NOT has_left
        AND {filter} {group}
        AND ({key}, mentor_id) {after} (%(place)s::{type}, %(mentor_id)s::uuid)
    ORDER BY {key} {order}, mentor_id {order}
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT referral_code
    FROM referral_codes
    WHERE org_id = %(org_id)s AND referral_codes.mentor_id = page.mentor_id
    OFFSET 0
) AS code ON true
LEFT JOIN LATERAL (
    SELECT total_clicks, pending_attributions, confirmed_attributions
    FROM mentor_counts
    WHERE org_id = %(org_id)s AND mentor_counts.mentor_id = page.mentor_id
    OFFSET 0
) AS counts ON true
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY place {order}, page.mentor_id {order};

-- name: mentors_close --
-- Who has a few confirmed registrations fewer than the next badge needs: for each count from which a badge is that near, a part of
-- the leaderboard's index, in their order, so that the first that fill the page are all that is read. edges/web/lists.py fills in
-- what is in braces. Who has reached its milestone once is not close to it any more, and who has nobody confirmed is not close to
-- anything.
SELECT
    page.mentor_id,
    referral_code,
    display_name,
    group_name,
    total_clicks,
    pending_attributions,
    confirmed,
    missing,
    name
FROM (
    SELECT mentor_id, referral_code, total_clicks, pending_attributions, level.confirmed, level.missing, level.name
    FROM (
        SELECT comes_at, name, confirmed, missing
        FROM (
            SELECT badge.comes_at, badge.name, badge.comes_at - missing AS confirmed, missing
            FROM (
                SELECT comes_at, min(name) AS name, lag(comes_at, 1, 1::bigint) OVER (ORDER BY comes_at) AS badge_before
                FROM badge_definitions
                CROSS JOIN LATERAL milestone_for(threshold) AS comes_at
                WHERE
                    (org_id = %(org_id)s OR org_id IS NULL)
                    AND type = 'recruitment'
                    AND off_since IS NULL
                    AND comes_at IS NOT NULL
                GROUP BY comes_at
            ) AS badge
            CROSS JOIN LATERAL generate_series(1, least(%(within)s, badge.comes_at - badge.badge_before)) AS missing
        ) AS level
        WHERE {following}
        ORDER BY {order}
        OFFSET 0
    ) AS level
    CROSS JOIN LATERAL (
        SELECT mentor_id, referral_code, total_clicks, pending_attributions
        FROM {mentors}
            AND mentor_id > CASE
                WHEN level.missing = %(missing)s AND level.confirmed = %(confirmed)s THEN %(mentor_id)s::uuid
                ELSE '00000000-0000-0000-0000-000000000000'
            END
            AND NOT EXISTS (
                SELECT FROM milestones
                WHERE
                    milestones.org_id = %(org_id)s
                    AND milestones.mentor_id = {whose}.mentor_id
                    AND milestone_threshold = level.comes_at
                OFFSET 0
            )
            AND NOT EXISTS (
                SELECT FROM referral_codes
                WHERE
                    referral_codes.org_id = %(org_id)s
                    AND referral_codes.mentor_id = {whose}.mentor_id
                    AND disabled_at IS NOT NULL
                OFFSET 0
            )
        ORDER BY mentor_id
        LIMIT %(limit)s
    ) AS near
    ORDER BY {order}, mentor_id
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
ORDER BY {order}, page.mentor_id;

-- name: just_reached --
-- Milestones of mentors who are known, each with the badges that it brought, after a place. {open} is empty, or leaves out those
-- for which somebody was thanked; {group} those of other groups. edges/web/lists.py fills in what is in braces.
SELECT
    page.mentor_id,
    referral_code,
    display_name,
    group_name,
    milestone_threshold,
    confirmed_count,
    greatest(least(reached_at, '9999-12-30Z'), '0001-01-02Z'),
    recorded_at,
    badges,
    thanked_at
FROM (
    SELECT *
    FROM (
        (
            SELECT
                mentor_id, milestone_threshold, milestone_id, confirmed_count, reached_at, recorded_at, thanked_at
            FROM milestones
            WHERE
                org_id = %(org_id)s
                AND state <> 'awaiting_mentor' {open} {group}
                AND recorded_at = %(recorded_at)s
                AND (mentor_id, milestone_threshold) {ties} (%(mentor_id)s::uuid, %(threshold)s)
            ORDER BY mentor_id {rest}, milestone_threshold {rest}
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT
                mentor_id, milestone_threshold, milestone_id, confirmed_count, reached_at, recorded_at, thanked_at
            FROM milestones
            WHERE
                org_id = %(org_id)s
                AND state <> 'awaiting_mentor' {open} {group}
                AND recorded_at {beyond} %(recorded_at)s
            ORDER BY recorded_at {time}, mentor_id {rest}, milestone_threshold {rest}
            LIMIT %(limit)s
        )
    ) AS following
    ORDER BY recorded_at {time}, mentor_id {rest}, milestone_threshold {rest}
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT referral_code
    FROM referral_codes
    WHERE org_id = %(org_id)s AND referral_codes.mentor_id = page.mentor_id
    OFFSET 0
) AS code ON true
LEFT JOIN LATERAL (
    SELECT display_name, group_name
    FROM mentor_names
    WHERE org_id = %(org_id)s AND mentor_names.mentor_id = page.mentor_id
    OFFSET 0
) AS named ON true
LEFT JOIN LATERAL (
    SELECT array_agg(name ORDER BY threshold, badge_id) AS badges
    FROM badge_awards
    INNER JOIN badge_definitions USING (badge_id)
    WHERE
        badge_awards.org_id = %(org_id)s
        AND badge_awards.mentor_id = page.mentor_id
        AND badge_awards.milestone_id = page.milestone_id
) AS held ON true
ORDER BY recorded_at {time}, page.mentor_id {rest}, milestone_threshold {rest};

-- name: thank --
-- The first time stands; no row: there is no such milestone here.
UPDATE milestones
SET thanked_at = coalesce(thanked_at, now())
WHERE
    org_id = %(org_id)s
    AND mentor_id = %(mentor_id)s
    AND milestone_threshold = %(threshold)s
    AND state <> 'awaiting_mentor'
RETURNING thanked_at;

-- name: unthank --
UPDATE milestones
SET thanked_at = NULL
WHERE
    org_id = %(org_id)s
    AND mentor_id = %(mentor_id)s
    AND milestone_threshold = %(threshold)s
    AND state <> 'awaiting_mentor'
RETURNING thanked_at;

-- name: standing --
-- One row: whether he is known, and where he stands. A rank is counted from how many have so many confirmed.
SELECT
    EXISTS (SELECT FROM mentors WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    coalesce(total_clicks, 0),
    coalesce(pending_attributions, 0),
    coalesce(confirmed_attributions, 0),
    by_channel,
    CASE WHEN is_active THEN quiet_since END,
    pending_days,
    rank.above,
    rank.beside,
    rank.everybody
FROM (SELECT) AS once
LEFT JOIN mentor_counts ON mentor_counts.org_id = %(org_id)s AND mentor_counts.mentor_id = %(mentor_id)s
LEFT JOIN mentor_standings ON mentor_standings.org_id = %(org_id)s AND mentor_standings.mentor_id = %(mentor_id)s
LEFT JOIN LATERAL (
    SELECT
        sum(mentors) FILTER (WHERE organisation_confirmed.confirmed > confirmed_attributions)::bigint AS above,
        sum(mentors) FILTER (WHERE organisation_confirmed.confirmed = confirmed_attributions)::bigint AS beside,
        sum(mentors)::bigint AS everybody
    FROM organisation_confirmed
    WHERE org_id = %(org_id)s
    OFFSET 0
) AS rank ON true;

-- name: decisions --
-- Why each milestone of a mentor did or did not bring each badge.
SELECT
    decision.milestone_threshold,
    decision.badge_id,
    badge_definitions.name,
    decision.reason,
    decision.confirmed_count,
    decision.decided_at,
    greatest(least(milestone.reached_at, '9999-12-30Z'), '0001-01-02Z')
FROM badge_decisions AS decision
LEFT JOIN badge_definitions USING (badge_id)
LEFT JOIN LATERAL (
    SELECT reached_at
    FROM milestones
    WHERE
        milestones.org_id = %(org_id)s
        AND milestones.mentor_id = %(mentor_id)s
        AND milestones.milestone_threshold = decision.milestone_threshold
    OFFSET 0
) AS milestone ON true
WHERE decision.org_id = %(org_id)s AND decision.mentor_id = %(mentor_id)s
ORDER BY decision.milestone_threshold, decision.badge_id NULLS FIRST
LIMIT %(limit)s;

-- name: history --
-- What happened to a mentor, the latest first; the days on which only his registrations changed have no time.
SELECT kind, day, at, threshold, badge_name, pending, confirmed
FROM (
    (
        SELECT
            'registrations' AS kind,
            day,
            NULL::timestamptz AS at,
            NULL::bigint AS threshold,
            NULL AS badge_name,
            pending,
            confirmed
        FROM mentor_days
        WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s AND (pending <> 0 OR confirmed <> 0)
        ORDER BY day DESC
        LIMIT %(limit)s
    )
    UNION ALL
    SELECT
        'code',
        (greatest(least(issued_at, '9999-12-30Z'), '0001-01-02Z') AT TIME ZONE 'UTC')::date,
        greatest(least(issued_at, '9999-12-30Z'), '0001-01-02Z'),
        NULL,
        NULL,
        NULL,
        NULL
    FROM referral_codes
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s
    UNION ALL
    SELECT 'disabled', (disabled_at AT TIME ZONE 'UTC')::date, disabled_at, NULL, NULL, NULL, NULL
    FROM referral_codes
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s AND disabled_at IS NOT NULL
    UNION ALL
    SELECT 'milestone', (recorded_at AT TIME ZONE 'UTC')::date, recorded_at, milestone_threshold, NULL, NULL, NULL
    FROM milestones
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s AND state <> 'awaiting_mentor'
    UNION ALL
    SELECT 'thanked', (thanked_at AT TIME ZONE 'UTC')::date, thanked_at, milestone_threshold, NULL, NULL, NULL
    FROM milestones
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s AND thanked_at IS NOT NULL
    UNION ALL
    SELECT 'badge', (awarded_at AT TIME ZONE 'UTC')::date, awarded_at, threshold, name, NULL, NULL
    FROM badge_awards INNER JOIN badge_definitions USING (badge_id)
    WHERE badge_awards.org_id = %(org_id)s AND badge_awards.mentor_id = %(mentor_id)s
) AS happened
ORDER BY day DESC, at DESC NULLS FIRST, kind, threshold
LIMIT %(limit)s;

-- name: period_today --
-- One row: in whose days the organisation's figures are, and which one it is there now.
SELECT zone, (now() AT TIME ZONE zone)::date FROM time_zone_of(%(org_id)s) AS zone;

-- name: period_days --
-- What happened on each day, all channels together.
SELECT day, clicks, registered, confirmed, withdrawn
FROM organisation_history
WHERE org_id = %(org_id)s AND channel = '' AND day BETWEEN %(first)s AND %(last)s
ORDER BY day;

-- name: period_channels --
-- What happened in each channel in parts of so many days; part -1 is what was before.
SELECT named.channel, parts.*
FROM (
    SELECT channel FROM history_channels WHERE org_id = %(org_id)s
    UNION
    SELECT 'other'
) AS named
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN day < %(first)s THEN -1 ELSE (day - %(first)s) / %(part_days)s END AS part,
        sum(clicks)::bigint,
        sum(registered)::bigint,
        sum(confirmed)::bigint,
        sum(withdrawn)::bigint
    FROM organisation_history
    WHERE
        org_id = %(org_id)s
        AND channel = named.channel
        AND (day BETWEEN %(first)s AND %(last)s OR day BETWEEN %(before_first)s AND %(before_last)s)
    GROUP BY part
) AS parts
ORDER BY named.channel, part;

-- name: period_rows --
-- The days of each channel on which something happened.
SELECT day, organisation_history.channel, clicks, registered, confirmed, withdrawn
FROM (
    SELECT channel FROM history_channels WHERE org_id = %(org_id)s
    UNION
    SELECT 'other'
) AS named
INNER JOIN organisation_history USING (channel)
WHERE
    org_id = %(org_id)s
    AND day BETWEEN %(first)s AND %(last)s
    AND (clicks <> 0 OR registered <> 0 OR confirmed <> 0 OR withdrawn <> 0)
ORDER BY day, organisation_history.channel;

-- name: confirmation_times --
-- How many of those confirmed on these days, and on those before, had been pending for how long.
SELECT day >= %(first)s, hours, sum(confirmed)::bigint
FROM organisation_confirmation_times
WHERE
    org_id = %(org_id)s
    AND (day BETWEEN %(first)s AND %(last)s OR day BETWEEN %(before_first)s AND %(before_last)s)
GROUP BY 1, 2;
