DROP TABLE replaceable_state;
DROP FUNCTION protect_tenant_table(regclass, text);
DROP FUNCTION touch_updated_at();
DROP FUNCTION app_scope();
DROP FUNCTION app_user();
DROP FUNCTION app_facility();
REVOKE USAGE ON SCHEMA public FROM anamnesis_server;
-- The extension and the role stay: a superuser may have made them, and others may use them.
