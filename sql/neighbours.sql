-- Makes the roles of what will work beside the daemon. They may do nothing yet, not even log in.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['alt_web', 'alt_rules', 'alt_audit'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
END
$$
