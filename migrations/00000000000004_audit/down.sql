DROP TABLE audit_blocks;
DROP TABLE audit_log;
DROP FUNCTION audit_log_ensure_partitions(date, integer);
DROP FUNCTION audit_log_is_append_only();
