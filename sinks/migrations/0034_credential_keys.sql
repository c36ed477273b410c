-- A fourth purpose of secrets: keys that sign credentials of badges (Open Badges 3.0).

ALTER TABLE organisation_secrets
    DROP CONSTRAINT organisation_secrets_purpose_check,
    ADD CONSTRAINT organisation_secrets_purpose_check
        CHECK (purpose IN ('code', 'webhook', 'membership', 'credential'));
COMMENT ON COLUMN organisation_secrets.purpose IS
    'code: makes referral codes; webhook: signs what is posted to us; membership: opens the membership system; credential: signs badges that are taken along.';
