-- Which registration confirmed a member and where it stands in its topic, so that an award can be followed back to it without
-- reading the topic. Neither names anybody: an attribution id is kept as a digest, since it may be the member's own.
-- registration_pairs has had row-level security since migration 0021.

ALTER TABLE registration_pairs
ADD COLUMN confirmed_partition integer,
ADD COLUMN confirmed_offset bigint,
ADD COLUMN confirmed_by uuid;
COMMENT ON COLUMN registration_pairs.confirmed_partition IS
    'Of the record in the registrations topic that confirmed the member first, in the order of the topic. NULL: none has, or it was read before this was kept.';
COMMENT ON COLUMN registration_pairs.confirmed_offset IS 'The same.';
COMMENT ON COLUMN registration_pairs.confirmed_by IS 'Of the same record: a digest of code and attribution id.';
CREATE INDEX registration_pairs_confirmed ON registration_pairs (org_id, referral_code, confirmed_at)
WHERE confirmed_at IS NOT NULL;

ALTER TABLE history_waiting ADD COLUMN attribution uuid;
COMMENT ON COLUMN history_waiting.attribution IS 'Of a registration: a digest of code and attribution id.';
