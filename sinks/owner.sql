-- Hands over what the programme has in this schema to the role referrals_owner, who cannot log in: run by `referrals db roles
-- apply`, as somebody who may. What belongs to whoever owns the tables goes over; what others have here stays theirs. The
-- owner's policies are made for him who made the tables, so they go over too.
DO $$
DECLARE
    former oid := (SELECT relowner FROM pg_class WHERE oid = to_regclass('_yoyo_migration'));
    thing record;
BEGIN
    IF NOT pg_has_role('referrals_owner', 'USAGE') THEN
        GRANT referrals_owner TO CURRENT_USER;  -- only who could be the owner may give him something
    END IF;
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO referrals_owner', current_schema());
    IF former IS NULL THEN
        RETURN;  -- `db migrate` makes the tables, as referrals_owner
    END IF;
    IF former <> 'referrals_owner'::regrole THEN
        FOR thing IN
            SELECT format('ALTER TABLE %s OWNER TO referrals_owner', oid::regclass) AS statement FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relowner = former AND relkind IN ('r', 'p', 'v', 'm')
                AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')  -- an extension's
            UNION ALL
            SELECT format('ALTER ROUTINE %s OWNER TO referrals_owner', oid::regprocedure) FROM pg_proc
            WHERE pronamespace = current_schema()::regnamespace AND proowner = former
                AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        LOOP
            EXECUTE thing.statement;  -- sequences of columns, indexes and triggers go with their tables
        END LOOP;
    END IF;
    FOR thing IN
        SELECT format('ALTER POLICY owner_sees_all ON %I TO referrals_owner', tablename) AS statement FROM pg_policies
        WHERE schemaname = current_schema() AND policyname = 'owner_sees_all' AND roles <> ARRAY['referrals_owner'::name]
    LOOP
        EXECUTE thing.statement;
    END LOOP;
END
$$;
