//! The population: the same every time, from a seed, and written by COPY. Everything is encrypted, indexed and linked as
//! the product does it, with the keys the product made; what is wrong with a row, the product says when it reads it.

mod copy;
mod corpus;
mod documents;
mod messages;
mod patients;
mod people;

use std::sync::Arc;
use std::time::Instant;

use anamnesis::access::RequestContext;
use anamnesis::app::App;
use anamnesis::db::embedded::DatabaseUrls;
use anamnesis::domains::documents::processing::divide_now;
use anamnesis::ids::{FacilityId, SessionId, TypedId as _, UserId};
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Result;
use crate::bed::connect;
pub use corpus::{Corpus, embed};
pub use people::{EMAIL as PEOPLE_EMAIL, PASSWORD as PEOPLE_PASSWORD};

/// Changes with the form of the population: a kept one of another form is not used.
const FORM: u32 = 3;
const SEED: u64 = 0x616e_616d_6e65_7369;

/// How much of everything there is, over all facilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub facilities: usize,
    pub patients: usize,
    pub visits: usize,
    pub passages: usize,
    pub messages: usize,
}

/// A facility and its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility {
    pub id: FacilityId,
    pub patients: usize,
    pub visits: usize,
    pub passages: usize,
    pub messages: usize,
}

/// Who is in the database.
#[derive(Debug, Clone)]
pub struct Population {
    sizes: Sizes,
    /// The largest first.
    pub facilities: Vec<Facility>,
    /// A physician of every facility.
    pub user: UserId,
    pub session: SessionId,
    /// How long it took to make, in seconds.
    pub seconds: f64,
}

impl Population {
    /// One that was written before, of these sizes.
    #[must_use]
    pub fn read(text: &str, sizes: Sizes) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let id = |value: &Value| value.as_str().and_then(|text| text.parse::<Uuid>().ok());
        if value["sizes"] != described(sizes) {
            return None;
        }
        let ids = value["facilities"].as_array()?.iter().map(id).collect::<Option<Vec<_>>>()?;
        Some(Self {
            sizes,
            facilities: shares(sizes, ids.into_iter().map(FacilityId::from_uuid)),
            user: UserId::from_uuid(id(&value["user"])?),
            session: SessionId::from_uuid(id(&value["session"])?),
            seconds: value["seconds"].as_f64()?,
        })
    }

    /// For [`Population::read`].
    #[must_use]
    pub fn written(&self) -> String {
        let facilities: Vec<Uuid> = self.facilities.iter().map(|facility| facility.id.uuid()).collect();
        json!({ "sizes": described(self.sizes), "facilities": facilities, "user": self.user.uuid(),
            "session": self.session.uuid(), "seconds": self.seconds })
        .to_string()
    }

    /// The largest facility.
    #[must_use]
    pub fn largest(&self) -> Facility {
        self.facilities[0]
    }

    /// The one in the middle.
    #[must_use]
    pub fn median(&self) -> Facility {
        self.facilities[self.facilities.len() / 2]
    }

    /// The smallest.
    #[must_use]
    pub fn smallest(&self) -> Facility {
        self.facilities[self.facilities.len() - 1]
    }
}

fn described(sizes: Sizes) -> Value {
    json!([FORM, sizes.facilities, sizes.patients, sizes.visits, sizes.passages, sizes.messages])
}

/// Shares by Zipf's law; they add up to the whole, and nobody goes without.
fn zipf(total: usize, places: usize) -> Vec<usize> {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let weights: Vec<f64> = (1..=places).map(|rank| 1.0 / rank as f64).collect();
    let sum: f64 = weights.iter().sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small numbers"
    )]
    let mut shares: Vec<usize> = weights.iter().map(|weight| ((total as f64 * weight / sum) as usize).max(1)).collect();
    let given: usize = shares.iter().sum();
    if let Some(first) = shares.first_mut() {
        *first = (*first + total).saturating_sub(given);
    }
    shares
}

fn shares(sizes: Sizes, ids: impl Iterator<Item = FacilityId>) -> Vec<Facility> {
    let (patients, visits) = (zipf(sizes.patients, sizes.facilities), zipf(sizes.visits, sizes.facilities));
    let (passages, messages) = (zipf(sizes.passages, sizes.facilities), zipf(sizes.messages, sizes.facilities));
    ids.enumerate()
        .map(|(rank, id)| Facility {
            id,
            patients: patients[rank],
            visits: visits[rank],
            passages: passages[rank],
            messages: messages[rank],
        })
        .collect()
}

/// What every part of the population is made with.
struct Maker {
    app: Arc<App>,
    random: StdRng,
    user: UserId,
    colleague: UserId,
    now: DateTime<Utc>,
}

/// Fills an empty, migrated database.
///
/// # Errors
/// When the database refuses.
pub async fn fill(app: &Arc<App>, urls: &DatabaseUrls, sizes: Sizes) -> Result<Population> {
    let begun = Instant::now();
    let bar = ProgressBar::new(u64::try_from(sizes.patients + sizes.visits + sizes.passages + sizes.messages)?);
    bar.set_style(ProgressStyle::with_template("population {bar:40} {pos}/{len} rows, {eta} left")?);
    let people = people::make(app, sizes.facilities).await?;
    let facilities = shares(sizes, people.facilities.into_iter());
    let client = connect(urls.superuser.reveal()).await?;
    let corpus = Corpus::read(app, &client).await?;
    let mut maker = Maker {
        app: Arc::clone(app),
        random: StdRng::seed_from_u64(SEED),
        user: people.user,
        colleague: people.colleague,
        now: app.clock.now(),
    };
    // Nothing of it is durable until the end anyway, and foreign keys hold by how it is made.
    client.batch_execute("SET synchronous_commit = off; SET session_replication_role = replica").await?;
    for facility in &facilities {
        let patients = patients::make(&mut maker, &client, facility, &bar).await?;
        documents::make(&mut maker, &client, facility, &patients, &corpus, &bar).await?;
        messages::make(&mut maker, &client, facility, &corpus, &bar).await?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    // As housekeeping would have it done.
    let dividing = Instant::now();
    for facility in &facilities {
        divide_now(&RequestContext::system(Arc::clone(app), facility.id, "benches")).await?;
    }
    println!("cells made in {:.1} s", dividing.elapsed().as_secs_f64());
    client.batch_execute("VACUUM ANALYZE").await?;
    client.batch_execute("CHECKPOINT").await?;
    bar.finish_and_clear();
    Ok(Population {
        sizes,
        facilities,
        user: people.user,
        session: people.session,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
