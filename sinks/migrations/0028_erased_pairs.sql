-- Members who were erased (GDPR, article 17). No table has ever had a member's id: a digest of code and member stands for
-- the pair. Once its member is erased a pair changes no more, so that nothing that comes later counts again; that it is
-- erased is also what keeps the HTTP side, replays and publish from bringing the id into a topic once more.
-- registration_pairs has had row-level security since migration 0021.

ALTER TABLE registration_pairs ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN registration_pairs.erased_at IS
    'When its member was erased, as the erasure says; from then on the pair stands as it is. NULL: he was not.';
CREATE INDEX registration_pairs_erased ON registration_pairs (org_id) WHERE erased_at IS NOT NULL;

-- A replay asks of every organisation at once, and may see nothing else of them.
CREATE FUNCTION erased_pairs() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT pair FROM registration_pairs WHERE erased_at IS NOT NULL
$$;
COMMENT ON FUNCTION erased_pairs IS 'The pseudonyms of erased pairs, without saying whose they are.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION erased_pairs() SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION erased_pairs() FROM PUBLIC;
END
$$;
