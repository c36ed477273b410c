-- The tables of the contract. Comments on tables and columns are the specification; `\d+` in psql shows them.
-- Every table carries org_id. Identifiers are pseudonymous: no names, addresses or members of persons are here.

CREATE TABLE organisations (
    org_id uuid PRIMARY KEY,
    first_seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE organisations IS 'Organisations that a record of the codes topic named. Written by `referrals counts`.';
COMMENT ON COLUMN organisations.first_seen_at IS 'When this database first heard of it.';

CREATE TABLE mentors (
    org_id uuid NOT NULL REFERENCES organisations,
    mentor_id uuid NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, mentor_id)
);
CREATE INDEX mentors_by_id ON mentors (mentor_id);
COMMENT ON TABLE mentors IS
    'Mentors who have a code, each in his organisation. The badge consumer awards only to (org_id, mentor_id) found here.';
COMMENT ON COLUMN mentors.first_seen_at IS 'When this database first heard of him.';

CREATE TABLE referral_codes (
    referral_code text PRIMARY KEY CHECK (referral_code ~ '^[0-9A-HJKMNP-TV-Z]{8,12}$'),
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    UNIQUE (org_id, mentor_id),
    FOREIGN KEY (org_id, mentor_id) REFERENCES mentors
);
COMMENT ON TABLE referral_codes IS
    'Referral codes as issued. The first issue stands: the same code for another mentor, or a second code for a mentor, becomes a dead letter.';
COMMENT ON COLUMN referral_codes.referral_code IS 'Normalised: 8 to 12 characters of Crockford''s base32 alphabet.';

CREATE TABLE badge_definitions (
    badge_id uuid PRIMARY KEY,
    org_id uuid,
    type text NOT NULL,
    threshold integer NOT NULL CHECK (threshold > 0),
    name text NOT NULL,
    defined_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE badge_definitions IS
    'What must be reached for a badge. A definition added or changed is compared with every milestone recorded before.';
COMMENT ON COLUMN badge_definitions.org_id IS
    'The organisation that has the badge; NULL: every organisation. No foreign key, a badge may be defined before the first code.';
COMMENT ON COLUMN badge_definitions.type IS 'Milestones are compared with type ''recruitment'' only.';
COMMENT ON COLUMN badge_definitions.threshold IS 'Confirmed registrations at which the badge is earned.';

CREATE TABLE milestones (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    milestone_threshold bigint NOT NULL,
    milestone_id uuid NOT NULL,
    confirmed_count bigint NOT NULL,
    attribution_id uuid NOT NULL,
    reached_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('decided', 'awaiting_mentor', 'due')),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, mentor_id, milestone_threshold)
);
CREATE INDEX milestones_not_decided ON milestones (state, org_id, mentor_id) WHERE state <> 'decided';
COMMENT ON TABLE milestones IS
    'Every milestone read, also those whose mentor or badge definitions are not known yet. A milestone is its organisation, mentor and threshold; one read again changes nothing. Written by `referrals badges`.';
COMMENT ON COLUMN milestones.confirmed_count IS 'The mentor''s confirmed registrations when it was reached; at least the threshold.';
COMMENT ON COLUMN milestones.attribution_id IS 'The registration event that crossed the threshold.';
COMMENT ON COLUMN milestones.state IS
    'decided; awaiting_mentor: taken up when (org_id, mentor_id) comes into mentors; due: to be compared again because a definition came or changed.';

CREATE TABLE badge_awards (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    badge_id uuid NOT NULL REFERENCES badge_definitions,
    milestone_id uuid NOT NULL,
    confirmed_count bigint NOT NULL,
    awarded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, mentor_id, badge_id),
    FOREIGN KEY (org_id, mentor_id) REFERENCES mentors
);
CREATE INDEX badge_awards_latest ON badge_awards (org_id, awarded_at DESC);
COMMENT ON TABLE badge_awards IS
    'Badges that mentors hold, one row for each, for ever. The foreign key makes an award across organisations impossible. Written by `referrals badges`.';
COMMENT ON COLUMN badge_awards.milestone_id IS 'The milestone that earned it.';
COMMENT ON COLUMN badge_awards.confirmed_count IS 'The milestone''s confirmed count.';

CREATE TABLE badge_decisions (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    milestone_threshold bigint NOT NULL,
    milestone_id uuid NOT NULL,
    badge_id uuid,
    reason text NOT NULL CHECK (reason IN (
        'awarded', 'already_held', 'below_threshold', 'no_definitions', 'unknown_mentor', 'forged_organisation'
    )),
    confirmed_count bigint NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (org_id, mentor_id, milestone_threshold, badge_id)
);
COMMENT ON TABLE badge_decisions IS
    'Audit: why each milestone did or did not earn each badge, one row for each (milestone, badge). No foreign keys: it outlives what it tells of. Written by `referrals badges`.';
COMMENT ON COLUMN badge_decisions.org_id IS 'The organisation that the milestone named; with forged_organisation not the mentor''s.';
COMMENT ON COLUMN badge_decisions.badge_id IS
    'NULL: the latest decision about the milestone as a whole (no_definitions, unknown_mentor, forged_organisation); it stays as history when badges are decided later.';
COMMENT ON COLUMN badge_decisions.reason IS
    'awarded and already_held are final; the others are decided again when a code or a definition arrives.';

CREATE TABLE mentor_counts (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    referral_code text NOT NULL,
    total_clicks bigint NOT NULL,
    pending_attributions bigint NOT NULL,
    confirmed_attributions bigint NOT NULL,
    conversion_rate double precision NOT NULL,
    by_channel jsonb NOT NULL,
    milestones integer[] NOT NULL,
    last_event_at timestamptz,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    projected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, mentor_id)
) WITH (fillfactor = 80);  -- rows change often: room on the page keeps updates off the indexes where counts allow it
CREATE INDEX mentor_counts_leaderboard ON mentor_counts (org_id, confirmed_attributions DESC, mentor_id);
COMMENT ON TABLE mentor_counts IS
    'The latest record of the mentor-counts topic for each mentor. Written by `referrals counts`. No foreign keys: counts and codes come in any order.';
COMMENT ON COLUMN mentor_counts.conversion_rate IS 'Confirmed by clicks: 0.0 without clicks, at most 1.0.';
COMMENT ON COLUMN mentor_counts.by_channel IS 'Channel to {clicks, pending, confirmed}; sums to the totals.';
COMMENT ON COLUMN mentor_counts.milestones IS 'Thresholds reached, ascending.';
COMMENT ON COLUMN mentor_counts.topic_partition IS 'Partition of the record projected.';
COMMENT ON COLUMN mentor_counts.topic_offset IS
    'Offset of the record projected; a record of the same partition with a lower one never replaces the row.';
