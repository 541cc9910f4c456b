//! A client of the API, as an app would be one: HTTP with kept-alive connections, a bearer token, one operation a request.

use std::time::{Duration, Instant};

use anamnesis::access::Bearer;
use anamnesis::ids::FacilityId;
use serde_json::{Value, json};

use crate::Result;
use crate::bed::Bed;
use crate::wrk::Request;

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
        let Request { identity: (name, value), body } = self.request(operation, variables);
        let request = self.http.post(&self.url).header(name, value).header("content-type", "application/json");
        let begun = Instant::now();
        let body = request.body(body).send().await?.error_for_status()?.bytes().await?;
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

    /// A request as it is sent.
    pub fn request(&self, operation: &str, variables: &Value) -> Request {
        let identity = ("authorization", format!("Bearer {}", self.token));
        Request { identity, body: json!({ "query": operation, "variables": variables }).to_string() }
    }
}
