-- Why a source could not be read, or not to its end, as a code with values: each language says it in its own words.

ALTER TABLE reconciliation_runs ADD COLUMN fault jsonb CHECK (jsonb_typeof(fault) = 'array');
COMMENT ON COLUMN reconciliation_runs.fault IS
    'Of error, else of incomplete: [code, {name: value}]; null where there is neither, where others said it, and before migration 0045.';
