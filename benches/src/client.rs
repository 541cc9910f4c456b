//! A client of the API, as an app would be one: HTTP with kept-alive connections, a bearer token, one operation a request.

use std::time::{Duration, Instant};

use anamnesis::access::Bearer;
use anamnesis::ids::{FacilityId, TypedId as _};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::Result;
use crate::bed::Bed;
use crate::peer::postgraphile::FACILITY;

/// A member of one facility.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// What the server answered.
pub struct Answer {
    pub data: Value,
    pub took: Duration,
    pub bytes: usize,
}

/// A request that is made again and again.
pub struct Prepared {
    http: reqwest::Client,
    url: String,
    /// What says who asks, or for which facility.
    identity: (&'static str, String),
    body: Bytes,
}

impl Client {
    /// The physician in a facility. The token lives some minutes: make one for each measurement.
    ///
    /// # Errors
    /// When there is no token to be had.
    pub fn of(bed: &Bed, base: &str, facility: FacilityId) -> Result<Self> {
        Self::on(Self::connection(), bed, base, facility)
    }

    /// The same over a connection that is there.
    ///
    /// # Errors
    /// When there is no token to be had.
    pub fn on(http: reqwest::Client, bed: &Bed, base: &str, facility: FacilityId) -> Result<Self> {
        let bearer = Bearer { user: bed.population.user, session: bed.population.session, facility };
        let token = bed.app.tokens.issue(bearer, bed.app.clock.now())?;
        Ok(Self { http, url: format!("{base}/graphql"), token })
    }

    /// One connection, as long as nothing is asked at once.
    pub fn connection() -> reqwest::Client {
        reqwest::Client::new()
    }

    /// Where operations are sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who it is to the server.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Runs an operation.
    ///
    /// # Errors
    /// When it is not answered, or answered with an error.
    pub async fn run(&self, operation: &str, variables: &Value) -> Result<Answer> {
        let begun = Instant::now();
        let body = self.prepared(operation, variables).ask().await?;
        let took = begun.elapsed();
        let answer: Value = serde_json::from_slice(&body)?;
        if let Some(errors) = answer.get("errors") {
            return Err(format!("the server answers {errors}").into());
        }
        let refused = answer["data"].as_object().into_iter().flat_map(|fields| fields.values());
        if let Some(errors) = refused.filter_map(|field| field["userErrors"].as_array()).find(|all| !all.is_empty()) {
            return Err(format!("the server refuses {errors:?}").into());
        }
        Ok(Answer { data: answer["data"].clone(), took, bytes: body.len() })
    }

    /// A request that is made again and again.
    pub fn prepared(&self, operation: &str, variables: &Value) -> Prepared {
        let identity = ("authorization", format!("Bearer {}", self.token));
        Prepared { http: self.http.clone(), url: self.url.clone(), identity, body: body(operation, variables) }
    }
}

fn body(operation: &str, variables: &Value) -> Bytes {
    json!({ "query": operation, "variables": variables }).to_string().into()
}

impl Prepared {
    /// A request of the peer, which knows no users.
    pub fn of_peer(http: reqwest::Client, url: &str, facility: FacilityId, operation: &str, variables: &Value) -> Self {
        let identity = (FACILITY, facility.uuid().to_string());
        Self { http, url: url.to_owned(), identity, body: body(operation, variables) }
    }

    async fn ask(&self) -> Result<Bytes> {
        let request = self.http.post(&self.url).header(self.identity.0, &self.identity.1);
        let request = request.header("content-type", "application/json").body(self.body.clone());
        Ok(request.send().await?.error_for_status()?.bytes().await?)
    }

    /// Makes it; says how long it took.
    ///
    /// # Errors
    /// When it is not answered, or answered with an error.
    pub async fn send(&self) -> Result<Duration> {
        let begun = Instant::now();
        let body = self.ask().await?;
        if body.windows(9).any(|window| window == b"\"errors\":") {
            return Err(format!("the server answers {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(begun.elapsed())
    }
}
