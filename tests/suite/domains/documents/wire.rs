//! HTTP by hand, where a test must say in which pieces a body is sent, or stop in the middle.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::Client;

pub const BOUNDARY: &str = "a-boundary-that-no-file-holds";

/// An answer, as bytes.
pub struct WireAnswer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether as much arrived as was announced.
    pub whole: bool,
}

impl WireAnswer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    /// The code of the first error.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// One part of a form.
pub fn part(name: &str, file_name: Option<&str>, content: &[u8]) -> Vec<u8> {
    let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
    let mut part =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n").into_bytes();
    part.extend_from_slice(content);
    part.extend_from_slice(b"\r\n");
    part
}

/// A whole form.
pub fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = parts.concat();
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// The media type of a form.
pub fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// The form of `POST /documents`.
pub fn document_form(metadata: &Value, file_name: &str, content: &[u8]) -> Vec<u8> {
    form(&[part("metadata", None, metadata.to_string().as_bytes()), part("file", Some(file_name), content)])
}

/// The form of a GraphQL upload.
pub fn graphql_form(document: &str, input: &Value, file_name: &str, content: &[u8]) -> Vec<u8> {
    let mut variables = json!({ "input": input });
    variables["input"]["file"] = Value::Null;
    let operations = json!({ "query": document, "variables": variables });
    form(&[
        part("operations", None, operations.to_string().as_bytes()),
        part("map", None, br#"{"0": ["variables.input.file"]}"#),
        part("0", Some(file_name), content),
    ])
}

/// A request under way.
pub struct Sending {
    stream: TcpStream,
}

impl Sending {
    /// Sends the head of a chunked request.
    pub async fn begin(client: &Client, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let address = client.base.strip_prefix("http://").unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        if let Some(token) = &client.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream }
    }

    /// Begins a form.
    pub async fn form(client: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        let media = form_type();
        let mut all = vec![
            ("Content-Type", media.as_str()),
            ("Transfer-Encoding", "chunked"),
            ("Accept", "application/graphql-response+json"),
        ];
        all.extend_from_slice(headers);
        Self::begin(client, "POST", path, &all).await
    }

    /// Sends one piece of the body. `false` when the server has closed its side.
    pub async fn piece(&mut self, bytes: &[u8]) -> bool {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.stream.write_all(&chunk).await.is_ok()
    }

    /// Ends the body and reads the answer.
    pub async fn end(mut self) -> WireAnswer {
        // The server may have answered and closed before all of it was sent.
        let _ = self.stream.write_all(b"0\r\n\r\n").await;
        self.answer().await
    }

    /// Reads the answer.
    pub async fn answer(mut self) -> WireAnswer {
        let mut bytes = Vec::new();
        let ended = self.stream.read_to_end(&mut bytes).await;
        let split = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = WireAnswer { status, head, body: bytes.split_off(split + 4), whole: false };
        let announced = answer.header("content-length").and_then(|value| value.parse().ok());
        answer.whole = ended.is_ok() && announced == Some(answer.body.len());
        answer
    }
}

/// Sends a body in pieces of irregular length.
pub async fn send_in_pieces(mut sending: Sending, body: &[u8], seed: u64) -> WireAnswer {
    let mut state = seed | 1;
    let mut rest = body;
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = usize::try_from(state % 100_000).unwrap() + 1;
        let (piece, after) = rest.split_at(length.min(rest.len()));
        if !sending.piece(piece).await {
            break;
        }
        rest = after;
    }
    sending.end().await
}

/// `POST /documents` with a small file.
pub async fn post_document(client: &Client, metadata: &Value, file_name: &str, content: &[u8]) -> WireAnswer {
    post_document_with(client, metadata, file_name, content, &[]).await
}

/// The same with further headers.
pub async fn post_document_with(
    client: &Client,
    metadata: &Value,
    file_name: &str,
    content: &[u8],
    headers: &[(&str, &str)],
) -> WireAnswer {
    let sending = Sending::form(client, "/documents", headers).await;
    send_in_pieces(sending, &document_form(metadata, file_name, content), 7).await
}

/// A GraphQL upload of a small file.
pub async fn graphql_upload(client: &Client, input: &Value, file_name: &str, content: &[u8]) -> WireAnswer {
    let sending = Sending::form(client, "/graphql", &[]).await;
    send_in_pieces(sending, &graphql_form(super::UPLOAD, input, file_name, content), 11).await
}

/// `GET` of any path.
pub async fn get(client: &Client, path: &str) -> WireAnswer {
    Sending::begin(client, "GET", path, &[]).await.answer().await
}
