-- Links that sign in by mail, where an installation allows them: asked for by an address, on a page where nobody is signed in. The
-- function tells whoever asks nothing: whether there is such an address, in which organisation, or whether it was asked too often.

ALTER TABLE mail_outbox DROP CONSTRAINT mail_outbox_kind_check;
ALTER TABLE mail_outbox ADD CONSTRAINT mail_outbox_kind_check CHECK (kind IN ('confirm', 'summary', 'badge', 'sign_in'));
CREATE INDEX mail_subscriptions_by_address ON mail_subscriptions (lower(address)) WHERE confirmed_at IS NOT NULL;

CREATE FUNCTION mail_sign_in_links(wanted text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(lower(wanted), 8242));
    INSERT INTO mail_outbox (org_id, kind, subscription_id, about, subject)
    SELECT wish.org_id, 'sign_in', wish.subscription_id, clock_timestamp()::text, wish.subject
    FROM mail_subscriptions AS wish
    WHERE
        lower(wish.address) = lower(wanted)
        AND wish.confirmed_at IS NOT NULL
        AND wish.refused_at IS NULL
        AND NOT EXISTS (
            SELECT FROM mail_outbox AS told
            WHERE
                told.org_id = wish.org_id
                AND told.subscription_id = wish.subscription_id
                AND told.kind = 'sign_in'
                AND told.made_at > clock_timestamp() - interval '1 minute'
        )
        AND 5 > (
            SELECT count(*) FROM mail_outbox AS told
            WHERE
                told.org_id = wish.org_id
                AND told.subscription_id = wish.subscription_id
                AND told.kind = 'sign_in'
                AND told.made_at > clock_timestamp() - interval '1 hour'
        );
END
$$;
COMMENT ON FUNCTION mail_sign_in_links IS
    'Puts a mail with a link that signs in into the outbox for each subscription confirmed at an address: one in a minute, five in an hour. Says nothing.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION mail_sign_in_links(text) SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION mail_sign_in_links(text) FROM PUBLIC;
END
$$;
