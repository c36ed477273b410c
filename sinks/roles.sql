-- Roles of the cluster and what they may do here; run by every `db migrate`, so that a right granted to the migrating
-- user later takes effect. They own nothing and cannot log in: GRANT one of them to the user that a component logs in as.
--   referrals_app    the HTTP side: reads the rows of the organisation that its transaction has set, and no others;
--                    issues codes there, and makes badges
--   referrals_sinks  the badge consumer and the projection: all organisations
--   referrals_mail   `referrals mail`: one organisation at a time; learns which mails are due. What happened it reads as
--                    referrals_app, by the login of `web` or by its own, which needs both then
--   referrals_reconciliation  `referrals reconcile`: one organisation at a time; learns whose members are to be asked for
--   referrals_analyst  people who ask the tables themselves: read what the contract has of the organisations that
--                      `referrals db grant-analyst` gave their login; no names, no secrets, and they write nothing
DO $$
DECLARE
    role text;
    name text;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'referrals_app', 'referrals_sinks', 'referrals_reconciliation', 'referrals_mail', 'referrals_analyst'
    ] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', role);
            RAISE NOTICE 'created role %', role;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN  -- another database of the cluster is migrated just now
                NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is missing and % may not create roles; row-level security is in force, but only the owner of the tables can use them until somebody creates the role and runs this again',
                    role, current_user;
        END;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_app') THEN
        GRANT SELECT ON organisations, mentors, referral_codes, badge_definitions, milestones, badge_awards,
            badge_decisions, mentor_counts, mentor_names, mentor_name_keys TO referrals_app;
        GRANT SELECT ON organisation_counts, organisation_channels, organisation_days, organisation_totals,
            organisation_confirmed, mentor_standings, mentor_days TO referrals_app;
        GRANT UPDATE (thanked_at) ON milestones TO referrals_app;
        GRANT SELECT ON organisation_history, organisation_history_totals, organisation_confirmation_times,
            history_channels TO referrals_app;
        GRANT SELECT (
            org_id, pair, erased_at, referral_code, channel, pending_at, confirmed_at, confirmed_last_at, withdrawn_at,
            confirmed_partition, confirmed_offset, confirmed_by
        ) ON registration_pairs TO referrals_app;
        GRANT SELECT ON dead_letters TO referrals_app;
        GRANT SELECT, INSERT, UPDATE ON filtered_clicks TO referrals_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON first_attempts TO referrals_app;
        GRANT SELECT, INSERT, DELETE ON sessions TO referrals_app;
        GRANT UPDATE (last_seen_at) ON sessions TO referrals_app;
        GRANT SELECT ON sign_in_links TO referrals_app;
        GRANT UPDATE (used_at) ON sign_in_links TO referrals_app;
        -- Not where the pages are: an address may hold anything.
        GRANT SELECT (
            org_id, source, started_at, finished_at, members_read, matched, back_filled, withdrawn, superseded, unknown_code,
            without_code, not_confirmed, repeated, unclear, bad_rows, error, incomplete, fault, rows_left,
            reasons_left, ask_again_at
        ) ON reconciliation_runs TO referrals_app;
        GRANT SELECT ON organisation_secrets, codes_outbox, milestone_thresholds TO referrals_app;
        GRANT INSERT ON mentors, referral_codes, codes_outbox TO referrals_app;
        -- An organisation's own badges; neither their threshold nor whose they are changes.
        GRANT INSERT ON badge_definitions TO referrals_app;
        GRANT UPDATE (name, picture, off_since) ON badge_definitions TO referrals_app;
        GRANT SELECT, INSERT ON badge_changes TO referrals_app;
        GRANT SELECT, INSERT, DELETE ON mail_subscriptions TO referrals_app;
        GRANT UPDATE (language, confirmed_at) ON mail_subscriptions TO referrals_app;
        GRANT SELECT (org_id, kind, subject, made_at), INSERT (org_id, kind, subscription_id, about, subject)
            ON mail_outbox TO referrals_app;
        GRANT EXECUTE ON FUNCTION take_from_outbox(integer), landing_of_code(text), codes_that_begin_with(text),
            outbox_figures(), reconciliation_figures(), award_reached(uuid, uuid[], uuid[]), mail_sign_in_links(text)
            TO referrals_app;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_sinks') THEN
        GRANT SELECT ON badge_definitions, _yoyo_migration TO referrals_sinks;
        GRANT SELECT, INSERT, UPDATE ON organisations, mentors, referral_codes, milestones, badge_awards,
            badge_decisions, mentor_counts, sink_positions TO referrals_sinks;
        GRANT SELECT, INSERT, UPDATE ON registration_pairs, organisation_quarter_hours, history_channels TO referrals_sinks;
        GRANT SELECT, INSERT, DELETE ON milestone_thresholds, history_waiting TO referrals_sinks;
        GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters, dead_letter_replays TO referrals_sinks;
        GRANT EXECUTE ON FUNCTION add_made_up_mentor(uuid, uuid) TO referrals_sinks;
        FOREACH name IN ARRAY ARRAY[
            'organisations', 'mentors', 'referral_codes', 'badge_definitions', 'milestones', 'badge_awards',
            'badge_decisions', 'mentor_counts', 'sink_positions', 'milestone_thresholds', 'registration_pairs',
            'organisation_quarter_hours', 'history_channels', 'history_waiting', 'dead_letters', 'dead_letter_replays'
        ] LOOP
            IF NOT EXISTS (
                SELECT FROM pg_policies
                WHERE schemaname = current_schema() AND tablename = name AND policyname = 'sinks_see_all'
            ) THEN
                EXECUTE format('CREATE POLICY sinks_see_all ON %I TO referrals_sinks USING (true)', name);
            END IF;
        END LOOP;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_mail') THEN
        GRANT SELECT ON organisations, mail_subscriptions, mail_outbox, badge_definitions, _yoyo_migration TO referrals_mail;
        GRANT UPDATE (due_at, attempts, sent_at, gave_up_at, problem), DELETE ON mail_outbox TO referrals_mail;
        GRANT UPDATE (refused_at) ON mail_subscriptions TO referrals_mail;
        GRANT SELECT, INSERT, DELETE ON sign_in_links TO referrals_mail;
        GRANT EXECUTE ON FUNCTION mail_due(integer, timestamptz), mail_figures(), mail_summaries_due(timestamptz),
            mail_forgets() TO referrals_mail;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_reconciliation') THEN
        GRANT SELECT ON organisations, referral_codes, organisation_secrets, membership_sources
            TO referrals_reconciliation;
        GRANT SELECT, INSERT, UPDATE ON reconciliation_runs TO referrals_reconciliation;
        GRANT EXECUTE ON FUNCTION organisations_to_reconcile(), reconciliation_schedule() TO referrals_reconciliation;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'referrals_analyst') THEN
        GRANT EXECUTE ON FUNCTION analyst_organisations() TO referrals_analyst;
        FOREACH name IN ARRAY ARRAY[
            'organisations', 'mentors', 'referral_codes', 'badge_definitions', 'badge_awards', 'badge_decisions',
            'mentor_counts', 'organisation_history'
        ] LOOP
            EXECUTE format('GRANT SELECT ON %I TO referrals_analyst', name);
            IF NOT EXISTS (
                SELECT FROM pg_policies
                WHERE schemaname = current_schema() AND tablename = name AND policyname = 'analysts_see_theirs'
            ) THEN
                EXECUTE format('CREATE POLICY analysts_see_theirs ON %I FOR SELECT TO referrals_analyst USING (true)', name);
                -- Restrictive: an analyst may set referrals.org_id, and own_organisation would show that organisation.
                EXECUTE format(
                    'CREATE POLICY analysts_see_no_others ON %I AS RESTRICTIVE TO referrals_analyst USING (%s org_id = ANY ('
                    '(SELECT analyst_organisations())::uuid[]))',
                    name, CASE name WHEN 'badge_definitions' THEN 'org_id IS NULL OR' ELSE '' END
                );
            END IF;
        END LOOP;
    END IF;
END
$$;
