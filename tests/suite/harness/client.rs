//! A client of the API, as an app would be: HTTP and GraphQL, nothing from inside.

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

/// Someone talking to the server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub base: String,
    pub token: Option<String>,
    /// Opaque id of the user, when signed in.
    pub user: Option<anamnesis::ids::UserId>,
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub data: Value,
    pub errors: Vec<Value>,
    pub extensions: Value,
}

impl Client {
    pub fn new(base: String) -> Self {
        Self { http: reqwest::Client::new(), base, token: None, user: None }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// The same client talking to another server.
    #[must_use]
    pub fn at(&self, base: String) -> Self {
        Self { base, ..self.clone() }
    }

    /// The same client as a user who has signed in.
    #[must_use]
    pub fn signed_in(&self, user: anamnesis::ids::UserId, token: String) -> Self {
        Self { user: Some(user), ..self.with_token(token) }
    }

    /// A request to any path, with the token.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Runs an operation.
    pub async fn run(&self, document: &str, variables: Value) -> Answer {
        self.run_with(document, variables, HeaderMap::new()).await
    }

    /// Runs an operation whose input has a file in the field of this name, as a multipart request.
    pub async fn run_with_file(
        &self,
        document: &str,
        mut variables: Value,
        field: &str,
        (file_name, content): (&str, &[u8]),
    ) -> Answer {
        const BOUNDARY: &str = "a-boundary-that-no-file-holds";
        // `files.0` is the first of a list.
        match field.split_once('.') {
            Some((list, _)) => variables["input"][list] = json!([null]),
            None => variables["input"][field] = Value::Null,
        }
        let operations = json!({ "query": document, "variables": variables }).to_string();
        let map = json!({ "0": [format!("variables.input.{field}")] }).to_string();
        let mut body = Vec::new();
        for (name, text) in [("operations", operations.as_bytes()), ("map", map.as_bytes()), ("0", content)] {
            let file = if name == "0" { format!("; filename=\"{file_name}\"") } else { String::new() };
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(text);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let response = self
            .request(reqwest::Method::POST, "/graphql")
            .header("accept", HeaderValue::from_static("application/graphql-response+json"))
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
            .send()
            .await
            .unwrap();
        Answer::read(response).await
    }

    /// Runs an operation with further headers.
    pub async fn run_with(&self, document: &str, variables: Value, headers: HeaderMap) -> Answer {
        let body = json!({ "query": document, "variables": variables });
        let response = self
            .request(reqwest::Method::POST, "/graphql")
            .header("accept", HeaderValue::from_static("application/graphql-response+json"))
            .headers(headers)
            .json(&body)
            .send()
            .await
            .unwrap();
        Answer::read(response).await
    }
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        let mut body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: not JSON: {text}"));
        let errors = match body["errors"].take() {
            Value::Array(errors) => errors,
            _ => Vec::new(),
        };
        Self { status, headers, data: body["data"].take(), errors, extensions: body["extensions"].take() }
    }

    /// The data of an operation that must have gone well.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.errors.is_empty(), "errors: {:#?}", self.errors);
        self.data
    }

    /// The code of the first error.
    #[track_caller]
    pub fn code(&self) -> &str {
        let first = self.errors.first().unwrap_or_else(|| panic!("no error, but {}", self.data));
        first["extensions"]["code"].as_str().unwrap()
    }
}
