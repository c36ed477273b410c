-- Functions that run with their owner's rights (security definer) look for names in this schema alone, the temporary one
-- last, and are nobody's to execute but whom sinks/roles.sql names. Of triggers' functions too: who may execute one may hang
-- it on a table of his own. Triggers that stand go on as before, their right was asked for when they were made.

DO $$
DECLARE
    name regprocedure;
BEGIN
    FOR name IN
        SELECT oid::regprocedure FROM pg_proc WHERE prosecdef AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
