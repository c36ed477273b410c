-- Webhooks that do not say when it happened: the time of the first attempt is the event's, however often it is sent again.

CREATE TABLE first_attempts (
    org_id uuid NOT NULL REFERENCES organisations,
    event_id uuid NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, event_id)
);
CREATE INDEX first_attempts_oldest ON first_attempts (org_id, sent_at);
COMMENT ON TABLE first_attempts IS
    'When a webhook without occurred_at was first sent; kept for 400 days. Written by `referrals web`.';
COMMENT ON COLUMN first_attempts.event_id IS
    'The attribution id that follows from the webhook''s id: that id if it is a UUID, else a UUIDv5 of it.';
COMMENT ON COLUMN first_attempts.sent_at IS 'The webhook-timestamp of the attempt that came first.';

ALTER TABLE first_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE first_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON first_attempts
USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id());
CREATE POLICY owner_sees_all ON first_attempts TO CURRENT_USER USING (true) WITH CHECK (true);
