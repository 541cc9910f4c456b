//! Who may call what: every root field called by everyone, printed as one table to be reviewed.
//!
//! A cell says what the server answered, not what a policy says it would: `allow` is also a refusal by a rule of the
//! domain, or that there is no such object, since who hears that was let in. Where a right depends on the object too,
//! the row is of the most guarded one: documents of a clinical kind.

use std::fmt::Write as _;

use anamnesis::access::{Bearer, Role};
use anamnesis::ids::{FacilityId, TypedId as _, new_id};
use futures::StreamExt as _;

use super::generated::{Api, Ids, Root, World};
use crate::harness::{Answer, Client, TestApp};

/// Calls under way at once.
const AT_ONCE: usize = 12;

/// One who calls: a user, or nobody.
struct Caller {
    name: &'static str,
    user: Option<(anamnesis::ids::UserId, FacilityId)>,
}

async fn callers(app: &TestApp) -> Vec<Caller> {
    let mut callers = vec![Caller { name: "anonymous", user: None }];
    let nobody = app.db_create_user().await;
    callers.push(Caller { name: "signed_in", user: Some((nobody, FacilityId::PLATFORM)) });
    let platform = app.db_create_user().await;
    app.db_execute(&format!(
        "INSERT INTO platform_roles (user_id, role, granted_at) VALUES ('{}', 'super_admin', now())",
        platform.uuid()
    ))
    .await;
    callers.push(Caller { name: "super_admin", user: Some((platform, FacilityId::PLATFORM)) });
    for role in Role::ALL {
        let client = app.member(&[*role]).await;
        callers.push(Caller { name: role.as_str(), user: Some((client.user.unwrap(), app.facility)) });
    }
    callers
}

/// A client for each call: some calls end the session they come by.
async fn clients(app: &TestApp, callers: &[Caller], calls: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut rows = Vec::new();
    let now = app.now();
    for _ in 0..calls {
        for caller in callers {
            let Some((user, facility)) = caller.user else {
                clients.push(app.anonymous());
                continue;
            };
            let session: anamnesis::ids::SessionId = new_id();
            rows.push(format!(
                "('{}', '{}', '{now}', '{now}', '{}')",
                session.uuid(),
                user.uuid(),
                (now + chrono::TimeDelta::days(30)).to_rfc3339(),
                now = now.to_rfc3339()
            ));
            let token = app.app.tokens.issue(Bearer { user, session, facility }, now).unwrap();
            clients.push(app.anonymous().signed_in(user, token));
        }
    }
    app.db_execute(&format!(
        "INSERT INTO user_sessions (id, user_id, created_at, last_refreshed_at, expires_at) VALUES {}",
        rows.join(", ")
    ))
    .await;
    clients
}

fn cell(answer: &Answer) -> &'static str {
    if answer.errors.is_empty() {
        return "allow";
    }
    match answer.code() {
        "FORBIDDEN" | "UNAUTHENTICATED" => "deny",
        "NOT_FOUND" => "allow",
        _ => "?",
    }
}

/// What ends more than the session it comes by is called by people of its own.
fn part(root: &Root) -> usize {
    match root.name() {
        "memberLeave" => 1,
        "sessionRevokeOthers" => 2,
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_what_is_as_committed() {
    let app = TestApp::start().await;
    let api = Api::read();
    let mut ids: Ids = World::fill(&app, &api, app.facility).await.ids;
    // What is done to a facility or a member is done to one that no caller depends on.
    ids.insert("fac".into(), app.other.encode());
    let mut roots = api.roots();
    roots.sort_by_key(part);
    let mut answers = Vec::new();
    let mut callers = Vec::new();
    for part in [0, 1, 2] {
        let calling = self::callers(&app).await;
        let mine: Vec<&Root> = roots.iter().filter(|root| self::part(root) == part).collect();
        let clients = clients(&app, &calling, mine.len()).await;
        let calls: Vec<_> = mine
            .iter()
            .flat_map(|root| std::iter::repeat_n(*root, calling.len()))
            .zip(clients)
            .map(|(root, client)| {
                let (api, variables) = (&api, api.variables(root, &ids, false));
                async move { api.call(&client, root, variables).await }
            })
            .collect();
        answers.extend(futures::stream::iter(calls).buffered(AT_ONCE).collect::<Vec<_>>().await);
        callers = calling;
    }
    let mut lines = Vec::new();
    let mut undecided = Vec::new();
    for (row, root) in roots.iter().enumerate() {
        let width = callers.len();
        let mut line = format!("{} {:<26}", if root.mutation { "mutation" } else { "query   " }, root.name());
        for (caller, answer) in callers.iter().zip(&answers[row * width..(row + 1) * width]) {
            let cell = cell(answer);
            let _ = write!(line, " {cell:<width$}", width = caller.name.len().max(5));
            if cell == "?" {
                undecided.push(format!("{} as {}: {:?}", root.name(), caller.name, answer.errors));
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    assert!(undecided.is_empty(), "refused before it was asked who calls:\n{}", undecided.join("\n"));
    lines.sort_by_key(|line| !line.starts_with("query"));
    let head: String = callers.iter().fold(format!("{:<35}", "field"), |mut head, caller| {
        let _ = write!(head, " {:<5}", caller.name);
        head
    });
    let (queries, mut mutations): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.starts_with("query"));
    mutations.sort();
    let table = format!("{}\n{}\n{}\n", head.trim_end(), queries.join("\n"), mutations.join("\n"));
    super::compare_or_update("tests/suite/contracts/access_matrix.txt", &table);
}

/// Whoever may not do a thing is told so whatever they send: no rule about the input speaks first.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_their_input_before_it_is_known_who_calls() {
    let app = TestApp::start().await;
    let api = Api::read();
    let mut ids: Ids = World::fill(&app, &api, app.facility).await.ids;
    ids.insert("fac".into(), app.other.encode());
    let roots = api.roots();
    let callers: Vec<Caller> = callers(&app)
        .await
        .into_iter()
        .filter(|caller| matches!(caller.name, "anonymous" | "signed_in" | "patient" | "technician"))
        .collect();
    assert_eq!(callers.len(), 4);
    let (mut told, mut denied) = (Vec::new(), 0);
    let clients = clients(&app, &callers, roots.len() * 2).await;
    for (root, clients) in roots.iter().zip(clients.chunks(callers.len() * 2)) {
        if part(root) > 0 {
            continue;
        }
        for caller in &callers {
            let pair = client_of(caller, clients);
            let fit = api.call(pair[0], root, api.variables(root, &ids, false)).await;
            if cell(&fit) != "deny" {
                continue;
            }
            let mut variables = api.unfit_variables(root, &ids);
            if api.takes_key(root) {
                variables["input"]["idempotencyKey"] = "".into();
            }
            let unfit = api.call(pair[1], root, variables).await;
            denied += 1;
            if cell(&unfit) != "deny" || unfit.code() != fit.code() {
                told.push(format!("{} as {}: {} {:?}", root.name(), caller.name, unfit.data, unfit.errors));
            }
        }
    }
    assert!(told.is_empty(), "told of their input:\n{}", told.join("\n"));
    assert!(denied > 200, "only {denied} denials");
}

/// Clients of one caller.
fn client_of<'a>(caller: &Caller, clients: &'a [Client]) -> Vec<&'a Client> {
    let user = caller.user.map(|(user, _)| user);
    clients.iter().filter(|client| client.user == user).collect()
}
