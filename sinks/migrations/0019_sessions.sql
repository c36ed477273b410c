-- People who are signed in, and links that sign somebody in once. Of what opens either there is only a digest: who reads
-- this database cannot sign in by it.

CREATE TABLE sessions (
    org_id uuid NOT NULL,
    session_id uuid NOT NULL,
    secret_digest bytea NOT NULL CHECK (length(secret_digest) = 32),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    role text NOT NULL CHECK (role IN ('mentor', 'coordinator', 'org_admin')),
    signed_in_by text NOT NULL CHECK (signed_in_by IN ('provider', 'link', 'token')),
    signed_in_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, session_id)
);
CREATE INDEX sessions_by_subject ON sessions (org_id, subject, signed_in_at);
CREATE INDEX sessions_by_end ON sessions (org_id, expires_at);
COMMENT ON TABLE sessions IS
    'Who is signed in by a cookie. Deleted when somebody signs out or is signed out; those that have ended go when another begins. Written by `referrals web`.';
COMMENT ON COLUMN sessions.secret_digest IS 'SHA-256 of the 32 random bytes in the cookie.';
COMMENT ON COLUMN sessions.subject IS
    'Who: the mentor id of a mentor, else what the provider, the link or the token calls him; need not be a UUID.';
COMMENT ON COLUMN sessions.last_seen_at IS 'When it was last used, to the hour.';

CREATE TABLE sign_in_links (
    org_id uuid NOT NULL,
    link_id uuid NOT NULL,
    secret_digest bytea NOT NULL CHECK (length(secret_digest) = 32),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    role text NOT NULL CHECK (role IN ('mentor', 'coordinator', 'org_admin')),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (org_id, link_id)
);
COMMENT ON TABLE sign_in_links IS
    'Links that sign somebody in once. Made by `referrals sign-in-link`, which deletes those that ended a day ago or more.';
COMMENT ON COLUMN sign_in_links.secret_digest IS 'SHA-256 of the 32 random bytes in the link.';
COMMENT ON COLUMN sign_in_links.used_at IS 'When somebody signed in by it: then it is good for nothing. NULL: not yet.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sessions', 'sign_in_links'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_organisation ON %I USING (org_id = current_org_id()) WITH CHECK (org_id = current_org_id())',
            name
        );
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
