//! Who acts, what they may do, and the context every operation gets first.
//!
//! Invariants: there is no connection without a [`RequestContext`]; there is no read or write without
//! naming an [`Action`], which is at once the permission asked for and the name in the audit log; an
//! action that grants a role nothing means no.

mod context;
mod once;
mod role;
mod subject;
mod token;

pub use context::{EnteredKeys, Read, RequestContext, Tx, Write};
pub use once::Once;
pub use role::{PlatformRole, Role};
pub use subject::{Actor, ContextParts, Purpose, Subject};
pub use token::{AccessTokens, Bearer};

/// What someone may want to do: a permission and an audit action in one.
///
/// Declared as constants in the `policy.rs` of the domain it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub struct Action {
    /// `domain.verb`, as written to the audit log and to error messages.
    pub name: &'static str,
    pub granted: Granted,
}

/// To whom an action is granted. What is not listed is not granted.
#[derive(Debug, PartialEq, Eq)]
pub enum Granted {
    /// Also without signing in: sign-in itself, resets, invitations.
    Anyone,
    /// Any signed-in user, about themself.
    User,
    /// Any active member of the facility.
    Member,
    /// Members with one of these roles.
    Roles(&'static [Role]),
    /// Users with one of these platform roles, outside any facility.
    Platform(&'static [PlatformRole]),
    /// Only the server itself: workers and operator commands.
    System,
}

impl Action {
    #[must_use]
    pub const fn anyone(name: &'static str) -> Self {
        Self { name, granted: Granted::Anyone }
    }

    #[must_use]
    pub const fn user(name: &'static str) -> Self {
        Self { name, granted: Granted::User }
    }

    #[must_use]
    pub const fn member(name: &'static str) -> Self {
        Self { name, granted: Granted::Member }
    }

    #[must_use]
    pub const fn roles(name: &'static str, roles: &'static [Role]) -> Self {
        Self { name, granted: Granted::Roles(roles) }
    }

    #[must_use]
    pub const fn platform(name: &'static str, roles: &'static [PlatformRole]) -> Self {
        Self { name, granted: Granted::Platform(roles) }
    }

    #[must_use]
    pub const fn system(name: &'static str) -> Self {
        Self { name, granted: Granted::System }
    }
}
