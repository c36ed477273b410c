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
-- earns next: the lowest above his count that he does not hold, and the count at which a milestone brings it. What no milestone brings is not promised.
SELECT
    EXISTS (SELECT FROM mentors WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    (SELECT referral_code FROM referral_codes WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    (SELECT disabled_at FROM referral_codes WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s),
    counts.confirmed,
    badge.name,
    badge.comes_at
FROM (
    SELECT coalesce(
        (SELECT confirmed_attributions FROM mentor_counts WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s), 0
    ) AS confirmed
) AS counts
LEFT JOIN LATERAL (
    SELECT name, comes_at
    FROM badge_definitions
    CROSS JOIN LATERAL milestone_for(threshold) AS comes_at
    WHERE
        (org_id = %(org_id)s OR org_id IS NULL)
        AND type = 'recruitment'
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
-- Who has this code, and whose ids begin and end so; ids are uuids, so a beginning is a part of the index.
SELECT mentor_id, referral_code
FROM (
    SELECT mentor_id
    FROM referral_codes
    WHERE org_id = %(org_id)s AND referral_code = %(code)s
    UNION
    (
        SELECT mentor_id
        FROM mentors
        WHERE
            org_id = %(org_id)s
            AND mentor_id BETWEEN %(first)s AND %(last)s
            AND right(mentor_id::text, length(%(ending)s)) = %(ending)s
        ORDER BY mentor_id
        LIMIT %(limit)s
    )
) AS found
LEFT JOIN LATERAL (
    SELECT referral_code
    FROM referral_codes
    WHERE referral_codes.org_id = %(org_id)s AND referral_codes.mentor_id = found.mentor_id
    OFFSET 0
) AS code ON true
ORDER BY mentor_id
LIMIT %(limit)s;

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
SELECT badge_id, coalesce(name, ''), confirmed_count, awarded_at
FROM mentors
LEFT JOIN badge_awards USING (org_id, mentor_id)
LEFT JOIN badge_definitions USING (badge_id)
WHERE mentors.org_id = %(org_id)s AND mentors.mentor_id = %(mentor_id)s
ORDER BY threshold, badge_id;

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
    updated_at
FROM (SELECT) AS once
LEFT JOIN organisation_counts ON org_id = %(org_id)s;

-- name: leaderboard --
-- The first page.
SELECT mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate
FROM mentor_counts
WHERE org_id = %(org_id)s
ORDER BY confirmed_attributions DESC, mentor_id
LIMIT %(limit)s;

-- name: leaderboard_after --
-- The page after a mentor: those with as many as he whose ids follow, then those with fewer. As one condition with OR
-- it would read all with as many as he from their beginning, and half of an organisation may have none.
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
) AS page
ORDER BY confirmed_attributions DESC, mentor_id
LIMIT %(limit)s;

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
(
    SELECT
        false AS is_award,
        milestone_threshold,
        NULL AS badge_id,
        NULL AS badge_name,
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
        mentor_id,
        confirmed_count,
        NULL,
        awarded_at
    FROM badge_awards
    WHERE org_id = %(org_id)s
    ORDER BY awarded_at DESC, mentor_id, badge_id
    LIMIT %(limit)s
)
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
    to_char(last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
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
    rows_left,
    ask_again_at
FROM reconciliation_runs
WHERE org_id = %(org_id)s
ORDER BY started_at DESC
LIMIT %(limit)s;
