//! Limits of an operation, enforced before any SQL.
