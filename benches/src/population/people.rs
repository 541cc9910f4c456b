//! The facilities, and a physician of all of them; made through the product's own services.

use std::sync::Arc;

use anamnesis::app::App;
use anamnesis::eval::people::Physician;
use anamnesis::ids::{FacilityId, SessionId, UserId};

use crate::Result;

/// How the physician signs in.
pub const EMAIL: &str = "physician@example.org";
pub const PASSWORD: &str = "nine slow barges on the canal";

const PHYSICIAN: Physician = Physician { email: EMAIL, password: PASSWORD, with: "benches" };

/// Who was made.
pub struct People {
    pub facilities: Vec<FacilityId>,
    pub user: UserId,
    pub session: SessionId,
}

pub async fn make(app: &Arc<App>, count: usize) -> Result<People> {
    let user = PHYSICIAN.make(app).await?;
    let mut facilities = Vec::with_capacity(count);
    for number in 1..=count {
        facilities.push(PHYSICIAN.facility(app, user, format!("Facility {number}")).await?);
    }
    let (_, session) = PHYSICIAN.sign_in(app).await?;
    Ok(People { facilities, user, session })
}
