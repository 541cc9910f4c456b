//! Who may read the audit log. What is not listed is not allowed.

use crate::access::{Action, Role};

/// Reads the audit log of the facility.
pub const AUDIT_READ: Action = Action::roles("compliance.audit.read", &[Role::Administrator, Role::PrivacyOfficer]);

/// Verifies that the audit log of the facility is whole.
pub const AUDIT_VERIFY: Action = Action::roles("compliance.audit.verify", &[Role::Administrator, Role::PrivacyOfficer]);

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[&AUDIT_READ, &AUDIT_VERIFY];
