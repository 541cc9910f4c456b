//! The clients that people use, from npm: they connect, go on where they were, and complete. Where Node is not
//! installed, or its registry is not reached, there is nothing to run them with, and this says so.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anamnesis::access::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::domains::documents::upload_text;
use crate::harness::{Client, TestApp};

/// The clients, installed as their lock file says; none where that cannot be done.
async fn installed(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    for file in ["package.json", "package-lock.json", "subscribe.mjs"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let install = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    match tokio::time::timeout(Duration::from_mins(3), install).await {
        Ok(Ok(status)) if status.success() => Some(folder.join("subscribe.mjs")),
        _ => None,
    }
}

struct Subscribed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscribed {
    fn start(script: &Path, way: &str, client: &Client, many: usize, after: Option<&str>) -> Self {
        let mut command = Command::new("node");
        command.arg(script).args([way, &format!("{}/graphql", client.base), client.token.as_deref().unwrap()]);
        command.arg(many.to_string()).args(after).current_dir(script.parent().unwrap());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn event(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_mins(1), self.lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.expect("the client ended")).unwrap()
    }

    /// Waits for the client to have completed by itself.
    async fn completed(mut self) {
        let status = tokio::time::timeout(Duration::from_mins(1), self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs it is to know that it was not run")]
#[tokio::test(flavor = "multi_thread")]
async fn clients_from_npm_connect_resume_and_complete() {
    let folder = tempfile::tempdir().unwrap();
    let Some(script) = installed(folder.path()).await else {
        eprintln!("Node or its registry is not there: clients from npm were not run");
        return;
    };
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let file = async |title: &str| upload_text(&nurse, json!({ "kind": "LAB_RESULT", "title": title }), title).await;
    for way in ["ws", "sse"] {
        let mut first = Subscribed::start(&script, way, &nurse, 2, None);
        assert_eq!(first.event().await["kind"], "LISTENING", "{way}");
        let one = file("one").await;
        let heard = first.event().await;
        assert_eq!((&heard["kind"], &heard["subject"]["id"]), (&json!("DOCUMENT_CHANGED"), &json!(one)), "{way}");
        first.completed().await;
        let missed = file("missed").await;
        let mut again = Subscribed::start(&script, way, &nurse, 3, heard["cursor"].as_str());
        assert_eq!(again.event().await["cursor"], heard["cursor"], "{way}");
        assert_eq!(again.event().await["subject"]["id"], json!(missed), "{way}");
        let live = file("live").await;
        assert_eq!(again.event().await["subject"]["id"], json!(live), "{way}");
        again.completed().await;
    }
}
