-- Why a row was left, as a code with values: each language says it in its own words.

ALTER TABLE reconciliation_runs
    ADD COLUMN reasons_left jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(reasons_left) = 'array');
COMMENT ON COLUMN reconciliation_runs.reasons_left IS
    'Of each row in rows_left, in the same order, its reason as [code, {name: value}]; null, or none, where a version before noted it.';
