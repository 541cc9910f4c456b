//! The load: wrk, which asks again as soon as it is answered, over kept-alive connections, all from one thread. It takes
//! little of the processor, which the server and the database need too.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::Result;

/// What makes the requests and looks at the answers.
const SCRIPT: &str = include_str!("wrk.lua");
/// Longer than any request takes.
const TIMEOUT: &str = "--timeout=60s";

/// One of the requests that are made in turn: a header that says who asks, and the body.
#[derive(Debug, Clone)]
pub struct Request {
    pub identity: (&'static str, String),
    pub body: String,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Requests that were answered.
    pub answered: u32,
    pub per_second: f64,
    /// Corrected by wrk for the requests that a slow answer kept from being made.
    pub p50: Duration,
    pub p99: Duration,
}

/// Says how to come by wrk where it is not there.
///
/// # Errors
/// When it cannot be run.
pub async fn present() -> Result<()> {
    let run = Command::new("wrk").arg("--version").stdin(Stdio::null()).output().await;
    run.map(drop).map_err(|_| "wrk is not there: it is a package of that name (apt-get install wrk)".into())
}

/// Makes requests in turn for some seconds. What is under way in the end is not counted.
///
/// # Errors
/// When wrk cannot be run, or any request is not answered, or answered with an error.
pub async fn run(folder: &Path, url: &str, requests: &[Request], connections: usize, seconds: u64) -> Result<Outcome> {
    let folder = folder.join("wrk");
    std::fs::create_dir_all(&folder)?;
    let (script, table) = (folder.join("wrk.lua"), folder.join("requests.lua"));
    std::fs::write(&script, SCRIPT)?;
    std::fs::write(&table, written(requests))?;
    let output = Command::new("wrk")
        .args(["--threads=1", TIMEOUT])
        .arg(format!("--connections={connections}"))
        .arg(format!("--duration={seconds}s"))
        .arg(format!("--script={}", script.display()))
        .arg(url)
        .arg("--")
        .arg(&table)
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    outcome(&said).map_err(|reason| format!("wrk: {reason} {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The requests as a table of Lua's.
fn written(requests: &[Request]) -> String {
    let mut table = "return {\n".to_owned();
    for Request { identity: (name, value), body } in requests {
        let (name, value, body) = (quoted(name), quoted(value), quoted(body));
        let headers = format!("[{name}] = {value}, [\"content-type\"] = \"application/json\"");
        let _ = writeln!(table, "{{ headers = {{ {headers} }}, body = {body} }},");
    }
    table + "}\n"
}

/// A string of Lua's: each byte that is no letter or digit by its number.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "\\{byte:03}");
        }
    }
    quoted + "\""
}

/// What the script says in the end.
fn outcome(said: &str) -> Result<Outcome> {
    if let Some(refusal) = said.lines().find_map(|line| line.strip_prefix("refused ")) {
        return Err(format!("the server answers {refusal}").into());
    }
    let line = said.lines().find_map(|line| line.strip_prefix("measured ")).ok_or("nothing was measured")?;
    let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [answered, duration, unanswered, p50, p99] = numbers[..] else {
        return Err(format!("what is {line:?}?").into());
    };
    if unanswered > 0 {
        return Err(format!("{unanswered} requests were not answered, {answered} were").into());
    }
    let answered = u32::try_from(answered)?;
    Ok(Outcome {
        answered,
        per_second: f64::from(answered) / Duration::from_micros(duration).as_secs_f64(),
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(p99),
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::post;

    use super::{Outcome, Request, outcome, present, quoted, run};

    #[test]
    fn text_is_the_same_in_lua() {
        assert_eq!(quoted("{\"a\":\"1é\"}"), r#""\123\034a\034\058\0341\195\169\034\125""#);
    }

    #[test]
    fn what_was_measured_is_read_and_what_was_refused_is_an_error() {
        let read = outcome("Running 2s test\nmeasured 500 2000000 0 1500 9000\n").unwrap();
        assert_eq!((read.answered, read.p50.as_micros(), read.p99.as_micros()), (500, 1500, 9000));
        assert!((read.per_second - 250.0).abs() < 1e-9);
        assert!(outcome("refused 401 no\nmeasured 500 2000000 0 1 1\n").unwrap_err().to_string().contains("401"));
        assert!(outcome("measured 500 2000000 1 1 1\n").is_err());
        assert!(outcome("Running 2s test\n").is_err());
    }

    /// Where wrk is there: what it sends is what was asked for, in turn, and what is refused is told.
    #[tokio::test]
    async fn requests_are_made_in_turn_and_looked_at() {
        if present().await.is_err() {
            return;
        }
        let handler = async |headers: HeaderMap, body: String| match headers["x-who"].to_str().unwrap() {
            who if body == format!("{{\"of\":\"{who} ß\"}}") => "{\"data\":{\"userErrors\":[]}}".to_owned(),
            who => format!("{{\"data\":{{\"userErrors\":[{{\"code\":\"{who}\"}}]}}}}"),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(handler))).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        let request = |who: &str, of: &str| Request {
            identity: ("x-who", who.to_owned()),
            body: format!("{{\"of\":\"{of} ß\"}}"),
        };
        let sound = [request("ada", "ada"), request("eve", "eve")];
        let Outcome { answered, p50, p99, .. } = run(folder.path(), &url, &sound, 2, 1).await.unwrap();
        assert!(answered > 2 && p99 >= p50);
        let refused = run(folder.path(), &url, &[sound[0].clone(), request("eve", "ada")], 2, 1).await.unwrap_err();
        assert!(refused.to_string().contains("\"code\":\"eve\""), "{refused}");
    }
}
