//! Who may do what to notifications: everybody with their own, in a facility they work in or are in care of.

use crate::access::Action;

/// Reads one's own notifications.
pub const READ: Action = Action::member("notifications.read");

/// Marks one's own notifications as read.
pub const MARK_READ: Action = Action::member("notifications.mark_read");

/// Says how one wants to be told.
pub const PREFERENCES: Action = Action::member("notifications.preferences");

/// Sends what is to be mailed.
pub const MAIL: Action = Action::system("notifications.mail");
