-- Names of mentors, where an organisation gives them: here and nowhere else, in no topic and no log. A row is there or it
-- is not, so that erasing one leaves nothing; the counts go on under the pseudonym.

CREATE TABLE mentor_names (
    org_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
    group_name text CHECK (length(group_name) BETWEEN 1 AND 100),
    PRIMARY KEY (org_id, mentor_id),
    FOREIGN KEY (org_id, mentor_id) REFERENCES mentors
);
COMMENT ON TABLE mentor_names IS
    'What an organisation calls its mentors. No row: he is known by his pseudonym alone. Written by `referrals mentors import`, which deletes the row where the name is empty.';
COMMENT ON COLUMN mentor_names.group_name IS 'A group or region, as the organisation calls it; NULL: none.';

-- A search is a range of this index, in one organisation, whatever the database's collation is: bytes are compared, and the
-- program has taken case and accents off both.
CREATE TABLE mentor_name_keys (
    org_id uuid NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    mentor_id uuid NOT NULL,
    PRIMARY KEY (org_id, name_key, mentor_id),
    FOREIGN KEY (org_id, mentor_id) REFERENCES mentor_names ON DELETE CASCADE
);
CREATE INDEX mentor_name_keys_of_mentor ON mentor_name_keys (org_id, mentor_id);
COMMENT ON TABLE mentor_name_keys IS
    'By what a name is found: it without case and accents, beginning with each of its words. Written with the name, and deleted with it.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mentor_names', 'mentor_name_keys'] LOOP
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
