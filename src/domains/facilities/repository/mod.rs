//! SQL of the domain. Named constraints become refusals here and nowhere else.

pub(super) mod facilities;
pub(super) mod invitations;
pub(super) mod members;
pub(super) mod roles;
