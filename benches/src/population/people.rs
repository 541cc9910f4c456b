//! The facilities, and two physicians of all of them; made through the product's own services.

use std::sync::Arc;

use anamnesis::app::App;
use anamnesis::eval::people::Physician;
use anamnesis::ids::{FacilityId, SessionId, UserId};

use crate::Result;

/// How the physician signs in.
pub const EMAIL: &str = "physician@example.org";
pub const PASSWORD: &str = "nine slow barges on the canal";

const PHYSICIAN: Physician = Physician { email: EMAIL, password: PASSWORD, with: "benches" };
/// Whom the physician writes to.
const COLLEAGUE: Physician = Physician { email: "colleague@example.org", ..PHYSICIAN };

/// Who was made.
pub struct People {
    pub facilities: Vec<FacilityId>,
    pub user: UserId,
    pub colleague: UserId,
    pub session: SessionId,
}

pub async fn make(app: &Arc<App>, count: usize) -> Result<People> {
    let user = PHYSICIAN.make(app).await?;
    let colleague = COLLEAGUE.make(app).await?;
    let mut facilities = Vec::with_capacity(count);
    for number in 1..=count {
        let facility = PHYSICIAN.facility(app, user, format!("Facility {number}")).await?;
        COLLEAGUE.join(app, colleague, facility).await?;
        facilities.push(facility);
    }
    let (_, session) = PHYSICIAN.sign_in(app).await?;
    Ok(People { facilities, user, colleague, session })
}
