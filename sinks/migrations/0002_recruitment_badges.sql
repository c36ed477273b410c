-- The four recruitment badges that every organisation has. Their ids are constants in models/badges.py.

INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name)
VALUES
    ('5a1e6b10-0001-5c4e-9f00-7265637275ad', NULL, 'recruitment', 1, 'First recruit'),
    ('5a1e6b10-0005-5c4e-9f00-7265637275ad', NULL, 'recruitment', 5, 'Five recruits'),
    ('5a1e6b10-000a-5c4e-9f00-7265637275ad', NULL, 'recruitment', 10, 'Ten recruits'),
    ('5a1e6b10-0019-5c4e-9f00-7265637275ad', NULL, 'recruitment', 25, 'Twenty-five recruits');
