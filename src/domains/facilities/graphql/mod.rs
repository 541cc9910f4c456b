//! Facilities in the API: translation only.

mod inputs;
mod mutation;
mod node;
mod query;
mod types;

pub use mutation::FacilitiesMutation;
pub use node::node;
pub use query::FacilitiesQuery;
pub use types::{Facility, FacilityConnection, Invitation, Member, MemberConnection, MemberRole};
