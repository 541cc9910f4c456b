//! SQL of the domain. Named constraints become refusals here and nowhere else.

pub(super) mod care;
pub(super) mod parts;
pub(super) mod patients;
pub(super) mod terms;
pub(super) mod visits;
