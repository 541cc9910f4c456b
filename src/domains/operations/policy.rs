//! Who may operate the server. What is not listed is not allowed.

use crate::access::{Action, PlatformRole, Role};

const OPERATORS: &[Role] = &[Role::Administrator, Role::SystemAdmin];
const PLATFORM_OPERATORS: &[PlatformRole] = &[PlatformRole::SuperAdmin];

/// Lists jobs of the facility that failed for good.
pub const JOBS_READ: Action = Action::roles("operations.jobs.read", OPERATORS);
/// Has a dead job of the facility tried again.
pub const JOB_RETRY: Action = Action::roles("operations.jobs.retry", OPERATORS);
/// Gives up a dead job of the facility.
pub const JOB_DISCARD: Action = Action::roles("operations.jobs.discard", OPERATORS);

/// The same for jobs of the platform itself.
pub const PLATFORM_JOBS_READ: Action = Action::platform("operations.platform_jobs.read", PLATFORM_OPERATORS);
/// The same for jobs of the platform itself.
pub const PLATFORM_JOB_RETRY: Action = Action::platform("operations.platform_jobs.retry", PLATFORM_OPERATORS);
/// The same for jobs of the platform itself.
pub const PLATFORM_JOB_DISCARD: Action = Action::platform("operations.platform_jobs.discard", PLATFORM_OPERATORS);

/// Rotates the data key of a facility.
pub const KEYS_ROTATE: Action = Action::system("operations.keys.rotate");
/// Wraps the keys of a facility under another master key.
pub const KEYS_REWRAP: Action = Action::system("operations.keys.rewrap");
/// Destroys the keys of a facility.
pub const KEYS_SHRED: Action = Action::system("operations.keys.shred");
/// Deletes remembered results of mutations.
pub const SWEEP: Action = Action::system("operations.sweep");

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[
    &JOBS_READ,
    &JOB_RETRY,
    &JOB_DISCARD,
    &PLATFORM_JOBS_READ,
    &PLATFORM_JOB_RETRY,
    &PLATFORM_JOB_DISCARD,
    &KEYS_ROTATE,
    &KEYS_REWRAP,
    &KEYS_SHRED,
    &SWEEP,
];
