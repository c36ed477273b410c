-- What is posted without a time: that of the first attempt is the event's, however often it is sent again.

CREATE TABLE first_attempts (
    org_id uuid NOT NULL,
    event_id uuid NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, event_id)
);
CREATE INDEX first_attempts_oldest ON first_attempts (org_id, sent_at);
COMMENT ON TABLE first_attempts IS
    'When what has no occurred_at was first posted; kept for 400 days. Written by `referrals web`.';
COMMENT ON COLUMN first_attempts.event_id IS
    'A UUIDv5 of what is the same when it is posted again: id of the webhook, code, member and status.';
COMMENT ON COLUMN first_attempts.sent_at IS 'The time of the attempt that came first; of a webhook its webhook-timestamp.';

ALTER TABLE first_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE first_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON first_attempts
USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id());
CREATE POLICY owner_sees_all ON first_attempts TO CURRENT_USER USING (true) WITH CHECK (true);
