-- Clicks that were not people's, counted apart: one row for each organisation, day and reason, so that sums are cheap.

CREATE TABLE filtered_clicks (
    org_id uuid NOT NULL REFERENCES organisations,
    day date NOT NULL,
    reason text NOT NULL CHECK (reason IN ('preview', 'robot', 'prefetch', 'no_agent')),
    clicks bigint NOT NULL CHECK (clicks > 0),
    PRIMARY KEY (org_id, day, reason)
);
COMMENT ON TABLE filtered_clicks IS
    'Share links opened by link previews, robots and prefetching; they are in no count of clicks. Written by `referrals web` about once a second; a kill may take the last of them.';
COMMENT ON COLUMN filtered_clicks.day IS 'In UTC.';
COMMENT ON COLUMN filtered_clicks.reason IS
    'preview: a messenger or network shows what is behind a link. robot: another program. prefetch: a browser has fetched ahead. no_agent: the request did not say what it came from.';

ALTER TABLE filtered_clicks ENABLE ROW LEVEL SECURITY;
ALTER TABLE filtered_clicks FORCE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON filtered_clicks
USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id());
CREATE POLICY owner_sees_all ON filtered_clicks TO CURRENT_USER USING (true) WITH CHECK (true);
