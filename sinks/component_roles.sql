-- What each component may do here, as roles that own nothing and cannot log in; `referrals db roles` makes the logins that
-- have them. Run by every `db migrate` behind roles.sql, whose roles referrals_app (web) and referrals_reconciliation
-- (stream, reconcile) are two of them.
--   referrals_badges    `referrals badges`: all organisations; writes milestones, awards, decisions
--   referrals_counts    `referrals counts`: all organisations; writes codes, counts, what happened when, and dead letters
--   referrals_registry  `orgs`, `mentors`, `codes`, `sessions`, `sign-in-link`, `reconcile configure`, `badges define` and
--                       what else makes badges: all organisations
--   referrals_auditor   `verify`, `explain`, `export`, `thresholds preview`, `erase-member`: reads all organisations, writes
--                       nothing
--   referrals_reader    the same commands where they look at one organisation, and `dead-letters` and `erase-member`: reads
--                       that one, writes nothing
DO $$
DECLARE
    role text;
    place record;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'referrals_badges', 'referrals_counts', 'referrals_registry', 'referrals_auditor', 'referrals_reader'
    ] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', role);
                RAISE NOTICE 'created role %', role;
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN  -- another database of the cluster is migrated just now
                NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is missing and % may not create roles: let somebody who may run `referrals db roles apply`',
                    role, current_user;
        END;
    END LOOP;

    -- Who migrates with a login that does everything looks at one organisation as this role.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_reader')
        AND current_user = session_user AND NOT pg_has_role('referrals_reader', 'USAGE')
    THEN
        BEGIN
            EXECUTE format('GRANT referrals_reader TO %I', current_user);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'GRANT referrals_reader TO % is missing: `explain`, `export` and `thresholds preview` need it',
                    current_user;
        END;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_badges') THEN
        GRANT SELECT ON badge_definitions, mentors, _yoyo_migration TO referrals_badges;
        GRANT SELECT, INSERT ON badge_awards TO referrals_badges;
        GRANT SELECT, INSERT, UPDATE ON badge_decisions, sink_positions TO referrals_badges;
        GRANT SELECT, INSERT ON milestones TO referrals_badges;
        GRANT UPDATE (state) ON milestones TO referrals_badges;
        GRANT SELECT, INSERT, DELETE ON milestone_thresholds TO referrals_badges;
        GRANT EXECUTE ON FUNCTION add_made_up_mentor(uuid, uuid) TO referrals_badges;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_counts') THEN
        GRANT SELECT ON _yoyo_migration TO referrals_counts;
        GRANT SELECT, INSERT ON organisations, mentors, referral_codes, history_channels TO referrals_counts;
        GRANT SELECT, INSERT, UPDATE ON mentor_counts, sink_positions, registration_pairs, organisation_quarter_hours
            TO referrals_counts;
        GRANT SELECT, INSERT, DELETE ON history_waiting TO referrals_counts;
        GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters, dead_letter_replays TO referrals_counts;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_registry') THEN
        GRANT SELECT, INSERT, UPDATE ON organisations TO referrals_registry;
        GRANT SELECT, INSERT ON mentors, referral_codes, codes_outbox TO referrals_registry;
        GRANT UPDATE (disabled_at) ON referral_codes TO referrals_registry;
        GRANT SELECT, INSERT, UPDATE, DELETE ON organisation_secrets, mentor_names, mentor_name_keys, membership_sources
            TO referrals_registry;
        GRANT SELECT, INSERT, DELETE ON sign_in_links TO referrals_registry;
        GRANT SELECT, DELETE ON sessions, mail_subscriptions, mail_outbox TO referrals_registry;
        GRANT SELECT ON reconciliation_runs, milestone_thresholds, mentor_counts, milestones, badge_awards
            TO referrals_registry;
        GRANT SELECT, INSERT ON badge_definitions, badge_changes TO referrals_registry;
        GRANT UPDATE (name, picture, off_since) ON badge_definitions TO referrals_registry;
        GRANT EXECUTE ON FUNCTION take_from_outbox(integer), reconciliation_schedule(),
            award_reached(uuid, uuid[], uuid[]) TO referrals_registry;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_auditor') THEN
        GRANT SELECT ON organisations, mentors, referral_codes, codes_outbox, badge_definitions, milestones, badge_awards,
            badge_decisions, mentor_counts, milestone_thresholds, organisation_counts, organisation_channels,
            organisation_days, organisation_totals, organisation_quarter_hours, history_channels, sink_positions
            TO referrals_auditor;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_reader') THEN
        GRANT SELECT ON organisations, mentors, referral_codes, badge_definitions, milestones, badge_awards,
            badge_decisions, mentor_counts, milestone_thresholds, mentor_names, organisation_history TO referrals_reader;
        GRANT SELECT (org_id, pair, erased_at) ON registration_pairs TO referrals_reader;
        GRANT EXECUTE ON FUNCTION landing_of_code(text), erased_pairs() TO referrals_reader;
    END IF;

    -- Whoever works across organisations sees their rows where he has a right on the table at all, and of the sinks'
    -- positions those of his own consumers: their groups' names end so, whatever the prefix.
    FOR place IN
        SELECT pg_roles.rolname, pg_class.relname, CASE
            WHEN pg_class.relname <> 'sink_positions' THEN 'true'
            WHEN pg_roles.rolname = 'referrals_badges' THEN $condition$consumer ~ 'badges$'$condition$
            ELSE $condition$consumer ~ '(counts|history|letters)$'$condition$
        END AS condition
        FROM pg_class
        INNER JOIN pg_roles ON pg_roles.rolname IN (
            'referrals_badges', 'referrals_counts', 'referrals_registry', 'referrals_auditor'
        ) AND has_table_privilege(pg_roles.oid, pg_class.oid, 'SELECT')
        WHERE pg_class.relnamespace = current_schema()::regnamespace AND pg_class.relrowsecurity AND NOT EXISTS (
            SELECT FROM pg_policies
            WHERE schemaname = current_schema() AND tablename = pg_class.relname
                AND policyname = pg_roles.rolname || '_sees_all'
        )
    LOOP
        EXECUTE format(
            'CREATE POLICY %I ON %I TO %I USING (%s)',
            place.rolname || '_sees_all', place.relname, place.rolname, place.condition
        );
    END LOOP;
END
$$;
