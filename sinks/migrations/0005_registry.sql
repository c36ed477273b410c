-- The code registry: what an organisation is called and where its links lead, its secrets, and the codes that wait to
-- be published. Code, mentor and outbox row are inserted in one transaction; the relay publishes and deletes the row.

ALTER TABLE organisations
    ADD COLUMN name text CHECK (length(trim(name)) BETWEEN 1 AND 200),
    ADD COLUMN landing_url text CHECK (landing_url ~ '^https?://[^/[:space:]]' AND length(landing_url) <= 2000);
COMMENT ON TABLE organisations IS
    'Organisations: made by `referrals orgs create`, or named first by a record of the codes topic.';
COMMENT ON COLUMN organisations.name IS 'What people call it; NULL where only the codes topic has named it.';
COMMENT ON COLUMN organisations.landing_url IS 'Where its share links lead; NULL: to the built-in welcome page, with the code.';

CREATE TABLE organisation_secrets (
    org_id uuid NOT NULL REFERENCES organisations,
    secret_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('code', 'webhook', 'membership')),
    key_version integer NOT NULL CHECK (key_version > 0),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (org_id, secret_id)
);
CREATE UNIQUE INDEX organisation_secrets_in_use ON organisation_secrets (org_id, purpose) WHERE expires_at IS NULL;
COMMENT ON TABLE organisation_secrets IS
    'Secrets of organisations, encrypted with a key that is not in this database. One of each purpose is in use; those it replaced are good until they expire, and are deleted by a later rotation.';
COMMENT ON COLUMN organisation_secrets.purpose IS
    'code: makes referral codes; webhook: signs what is posted to us; membership: opens the membership system.';
COMMENT ON COLUMN organisation_secrets.key_version IS 'Which of the keys in REFERRALS_SECRET_KEYS it is encrypted with.';
COMMENT ON COLUMN organisation_secrets.sealed IS
    'AES-256-GCM: 12 bytes nonce, then the ciphertext with its tag; bound to org_id, secret_id and purpose.';
COMMENT ON COLUMN organisation_secrets.expires_at IS 'When it was replaced: from then on it is not good. NULL: in use.';

CREATE TABLE codes_outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id uuid NOT NULL,
    referral_code text NOT NULL,
    mentor_id uuid NOT NULL,
    issued_at timestamptz NOT NULL
);
COMMENT ON TABLE codes_outbox IS
    'Codes that are stored and not yet known to be in the codes topic. Written with the code; deleted when Kafka has acknowledged it.';
COMMENT ON COLUMN codes_outbox.position IS 'Order of arrival.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['organisation_secrets', 'codes_outbox'] LOOP
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

CREATE FUNCTION wake_codes_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY referrals_codes;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION wake_codes_relay IS 'Tells listening relays that codes wait to be published.';

CREATE TRIGGER outbox_wakes_codes_relay
AFTER INSERT ON codes_outbox
FOR EACH STATEMENT EXECUTE FUNCTION wake_codes_relay();

-- What crosses organisations. Security definer: the HTTP side's role sees one organisation at a time, and these two give
-- it no more than is needed. Their names are looked up in this schema alone, and never among a caller's own tables.

CREATE FUNCTION take_from_outbox(most integer)
RETURNS TABLE (org_id uuid, referral_code text, mentor_id uuid, issued_at timestamptz)
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    DELETE FROM codes_outbox AS taken
    WHERE taken.position = ANY (ARRAY(  -- an array is made once, where IN could take more than was asked for
        SELECT waiting.position FROM codes_outbox AS waiting ORDER BY waiting.position LIMIT most FOR UPDATE SKIP LOCKED
    ))
    RETURNING taken.org_id, taken.referral_code, taken.mentor_id, taken.issued_at
$$;
COMMENT ON FUNCTION take_from_outbox IS
    'Takes the oldest codes of all organisations off the outbox, and leaves out those that another relay has in hand. They are back if the transaction is not committed: publish first, then commit.';

CREATE FUNCTION landing_of_code(code text) RETURNS TABLE (org_id uuid, landing_url text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT organisations.org_id, organisations.landing_url
    FROM referral_codes INNER JOIN organisations USING (org_id)
    WHERE referral_codes.referral_code = code
$$;
COMMENT ON FUNCTION landing_of_code IS
    'The organisation of a code and where its links lead, for somebody of whom only the code is known; no row: not issued.';

DO $$
DECLARE
    name regprocedure;
BEGIN
    FOREACH name IN ARRAY ARRAY['take_from_outbox(integer)', 'landing_of_code(text)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
