//! A client of the API, as an app would be one: HTTP with kept-alive connections, a bearer token, one operation a request.

use std::time::{Duration, Instant};

use anamnesis::access::Bearer;
use anamnesis::ids::FacilityId;
use serde_json::{Value, json};

use crate::Result;
use crate::bed::Bed;

/// A member of one facility.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// The physician in a facility. The token lives some minutes: make one for each measurement.
    ///
    /// # Errors
    /// When there is no token to be had.
    pub fn of(bed: &Bed, base: &str, facility: FacilityId) -> Result<Self> {
        let bearer = Bearer { user: bed.population.user, session: bed.population.session, facility };
        let token = bed.app.tokens.issue(bearer, bed.app.clock.now())?;
        Ok(Self { http: reqwest::Client::new(), url: format!("{base}/graphql"), token })
    }

    /// Runs an operation; gives its data and how long it took.
    ///
    /// # Errors
    /// When it is not answered, or answered with an error.
    pub async fn run(&self, operation: &str, variables: &Value) -> Result<(Value, Duration)> {
        let begun = Instant::now();
        let request = self.http.post(&self.url).bearer_auth(&self.token);
        let request = request.json(&json!({ "query": operation, "variables": variables }));
        let answer: Value = request.send().await?.json().await?;
        let took = begun.elapsed();
        if let Some(errors) = answer.get("errors") {
            return Err(format!("the server answers {errors}").into());
        }
        Ok((answer["data"].clone(), took))
    }
}
