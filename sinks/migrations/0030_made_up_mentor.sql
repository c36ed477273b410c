-- What the badge consumer tries an award with, before it takes a batch's failure for a record's fault: an organisation and
-- a mentor who are made up, in a transaction that is undone. So its login needs no right to add mentors, who are the
-- projection's and the registry's to add.

CREATE FUNCTION add_made_up_mentor(organisation uuid, mentor uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    -- Of an organisation that there is, it fails: nobody gets a mentor by it.
    INSERT INTO organisations (org_id) VALUES (organisation);
    INSERT INTO mentors (org_id, mentor_id) VALUES (organisation, mentor)
$$;
COMMENT ON FUNCTION add_made_up_mentor IS
    'Adds an organisation that is not there yet, with a mentor. Security definer: the badge consumer tries an award with it, and undoes it.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION add_made_up_mentor(uuid, uuid) SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION add_made_up_mentor(uuid, uuid) FROM PUBLIC;
END
$$;
