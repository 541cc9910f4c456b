//! A facility never loses its last administrator.

use anamnesis::access::Role;
use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::{Staff, administrator, done, refused, staff, state};
use crate::harness::{Client, TestApp};

const REMOVE: &str =
    "mutation($input: MemberRemoveInput!) { memberRemove(input: $input) { member { id } userErrors { code } } }";
const SUSPEND: &str =
    "mutation($input: MemberSuspendInput!) { memberSuspend(input: $input) { member { id } userErrors { code } } }";
const SET: &str =
    "mutation($input: MemberRolesSetInput!) { memberRolesSet(input: $input) { member { id } userErrors { code } } }";
const REVOKE: &str = "mutation($input: MemberRoleRevokeInput!) { memberRoleRevoke(input: $input) { member { id } userErrors { code } } }";
const LEAVE: &str = "mutation { memberLeave(input: {}) { memberId userErrors { code } } }";

fn remove(someone: &Staff) -> (&'static str, &'static str, Value) {
    ("memberRemove", REMOVE, json!({ "input": { "memberId": someone.id(), "reason": "TRANSFERRED" } }))
}

fn suspend(someone: &Staff) -> (&'static str, &'static str, Value) {
    ("memberSuspend", SUSPEND, json!({ "input": { "memberId": someone.id(), "reason": "SECURITY" } }))
}

fn demote(someone: &Staff) -> (&'static str, &'static str, Value) {
    let roles = json!([{ "role": "NURSE" }]);
    ("memberRolesSet", SET, json!({ "input": { "memberId": someone.id(), "expectedVersion": 1, "roles": roles } }))
}

async fn revoke(client: &Client, someone: &Staff) -> (&'static str, &'static str, Value) {
    let query = "query($id: ID!) { member(id: $id) { roles { id role } } }";
    let read = client.run(query, json!({ "id": someone.id() })).await.ok();
    let roles = read["member"]["roles"].as_array().unwrap();
    let role = roles.iter().find(|role| role["role"] == "ADMINISTRATOR").unwrap();
    ("memberRoleRevoke", REVOKE, json!({ "input": { "roleId": role["id"] } }))
}

const LEAVING: (&str, &str, Value) = ("memberLeave", LEAVE, Value::Null);

async fn administrators(app: &TestApp) -> String {
    app.db_value(&format!(
        "SELECT count(DISTINCT m.id) FROM facility_members m JOIN member_roles r ON r.member_id = m.id \
         WHERE m.facility_id = '{}' AND m.status = 'active' AND r.role = 'administrator'",
        app.facility.uuid()
    ))
    .await
}

#[tokio::test]
async fn the_last_administrator_is_not_removed_suspended_demoted_and_does_not_leave() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    // A nurse is none, a suspended administrator is none, and one of another facility is none here.
    staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let former = staff(&app, "Tobias Grell", &[Role::Administrator]).await;
    let (name, document, variables) = suspend(&former);
    done(boss.client.run(document, variables).await, name);
    super::staff_of(&app, app.other, "Hollis Wakeford", &[Role::Administrator]).await;

    let before = state(&app).await;
    for (name, document, variables) in
        [remove(&boss), suspend(&boss), demote(&boss), revoke(&boss.client, &boss).await, LEAVING]
    {
        assert_eq!(refused(boss.client.run(document, variables).await, name), "LAST_ADMINISTRATOR", "{name}");
    }
    assert_eq!(state(&app).await, before);
    assert_eq!(administrators(&app).await, "1");
}

#[tokio::test]
async fn one_of_two_administrators_may_go_in_any_way() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    for (index, way) in ["remove", "suspend", "demote", "leave"].into_iter().enumerate() {
        let second = staff(&app, &format!("Second Number{index}"), &[Role::Administrator]).await;
        // Each does it to themself: the answer is read back although they are out.
        let (name, document, variables) = match way {
            "remove" => remove(&second),
            "suspend" => suspend(&second),
            "demote" => demote(&second),
            _ => LEAVING,
        };
        done(second.client.run(document, variables).await, name);
        assert_eq!(administrators(&app).await, "1", "{way}");
    }
    boss.client.run("{ facility { id } }", json!({})).await.ok();
}

#[tokio::test]
async fn an_administrator_in_two_departments_keeps_the_power_with_either_role() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let set = "mutation($input: MemberRolesSetInput!) { memberRolesSet(input: $input) { userErrors { code } } }";
    let roles = json!([{ "role": "ADMINISTRATOR", "department": "Youth" },
        { "role": "ADMINISTRATOR", "department": "Memory Clinic", "primary": true }]);
    let input = json!({ "input": { "memberId": boss.id(), "expectedVersion": 1, "roles": roles } });
    done(boss.client.run(set, input).await, "memberRolesSet");
    let query = "query($id: ID!) { member(id: $id) { roles { id } } }";
    let read = boss.client.run(query, json!({ "id": boss.id() })).await.ok();
    // The primary one is listed first.
    let input = json!({ "input": { "roleId": read["member"]["roles"][1]["id"] } });
    done(boss.client.run(REVOKE, input).await, "memberRoleRevoke");
    let input = json!({ "input": { "roleId": read["member"]["roles"][0]["id"] } });
    assert_eq!(refused(boss.client.run(REVOKE, input).await, "memberRoleRevoke"), "LAST_ADMINISTRATOR");
}

/// Starts both requests while the facility's row is held from outside, and lets go once both wait for it: they
/// run at once, whatever the machine does.
async fn at_once(app: &TestApp, first: (&Client, &str, Value), second: (&Client, &str, Value)) -> (Value, Value) {
    let (holder, connection) = tokio_postgres::connect(&app.database.superuser_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let hold = format!("BEGIN; SELECT FROM facilities WHERE id = '{}' FOR NO KEY UPDATE", app.facility.uuid());
    holder.batch_execute(&hold).await.unwrap();
    let release = async {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while app.db_value(waiting).await != "2" {}
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (first, second, ()) = tokio::join!(first.0.run(first.1, first.2), second.0.run(second.1, second.2), release);
    (first.ok(), second.ok())
}

/// User error codes of two answers, sorted; `null` for the one that was done.
fn codes(name: (&str, &str), answers: &(Value, Value)) -> Vec<Value> {
    let mut codes =
        vec![answers.0[name.0]["userErrors"][0]["code"].clone(), answers.1[name.1]["userErrors"][0]["code"].clone()];
    codes.sort_by_key(ToString::to_string);
    codes
}

#[tokio::test]
async fn of_two_administrators_who_remove_each_other_at_once_one_is_refused() {
    let app = TestApp::start().await;
    let (one, two) = (administrator(&app).await, staff(&app, "Tobias Grell", &[Role::Administrator]).await);
    let (_, document, two_goes) = remove(&two);
    let (_, _, one_goes) = remove(&one);
    let answers = at_once(&app, (&one.client, document, two_goes), (&two.client, document, one_goes)).await;
    assert_eq!(codes(("memberRemove", "memberRemove"), &answers), [json!("LAST_ADMINISTRATOR"), Value::Null]);
    assert_eq!(administrators(&app).await, "1");
}

#[tokio::test]
async fn of_any_two_ways_to_lose_the_last_two_administrators_at_once_one_is_refused() {
    for (first, second) in
        [("leave", "leave"), ("suspend", "leave"), ("demote", "remove"), ("revoke", "suspend"), ("demote", "demote")]
    {
        let app = TestApp::start().await;
        let one = staff(&app, "Ada Bell", &[Role::Nurse, Role::Administrator]).await;
        let two = staff(&app, "Tobias Grell", &[Role::Nurse, Role::Administrator]).await;
        let way = async |way: &str, someone: &Staff| match way {
            "leave" => LEAVING,
            "suspend" => suspend(someone),
            "demote" => demote(someone),
            "revoke" => revoke(&one.client, someone).await,
            _ => remove(someone),
        };
        // Each goes by themself, so that neither loses the right to act before the other has acted.
        let (first_name, first_document, first_input) = way(first, &one).await;
        let (second_name, second_document, second_input) = way(second, &two).await;
        let answers =
            at_once(&app, (&one.client, first_document, first_input), (&two.client, second_document, second_input))
                .await;
        let codes = codes((first_name, second_name), &answers);
        assert_eq!(codes, [json!("LAST_ADMINISTRATOR"), Value::Null], "{first} and {second}");
        assert_eq!(administrators(&app).await, "1", "{first} and {second}");
    }
}

#[tokio::test]
async fn an_administrator_removed_while_they_wait_changes_nothing_more() {
    let app = TestApp::start().await;
    let (one, two) = (administrator(&app).await, staff(&app, "Tobias Grell", &[Role::Administrator]).await);
    let nora = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let (holder, connection) = tokio_postgres::connect(&app.database.superuser_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    // Stands for the first of two transactions: it has removed the one whose request comes second.
    let first = format!(
        "BEGIN; SELECT FROM facilities WHERE id = '{}' FOR NO KEY UPDATE; \
         UPDATE facility_members SET status = 'removed', status_reason = 'security' WHERE user_id = '{}'",
        app.facility.uuid(),
        two.user.uuid()
    );
    holder.batch_execute(&first).await.unwrap();
    let release = async {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while app.db_value(waiting).await != "1" {}
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (_, document, variables) = remove(&nora);
    let (answer, ()) = tokio::join!(two.client.run(document, variables), release);
    assert_eq!(answer.code(), "FORBIDDEN");
    let query = "query($id: ID!) { member(id: $id) { status } }";
    let read = one.client.run(query, json!({ "id": nora.id() })).await.ok();
    assert_eq!(read["member"]["status"], "ACTIVE");
}

/// What a statement as the superuser, past every rule of the server, comes to.
async fn by_hand(app: &TestApp, statement: &str) -> Result<(), String> {
    let (client, connection) = tokio_postgres::connect(&app.database.superuser_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let outcome = client.batch_execute(statement).await;
    outcome.map_err(|error| error.as_db_error().unwrap().constraint().unwrap_or("").to_owned())
}

#[tokio::test]
async fn the_database_itself_keeps_an_administrator() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nora = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let before = state(&app).await;
    let (mine, hers) = (boss.member.uuid(), nora.member.uuid());
    for statement in [
        format!("UPDATE facility_members SET status = 'removed', status_reason = 'left' WHERE id = '{mine}'"),
        format!("UPDATE facility_members SET status = 'suspended', status_reason = 'security' WHERE id = '{mine}'"),
        format!("UPDATE member_roles SET role = 'nurse' WHERE member_id = '{mine}'"),
        format!(
            "UPDATE member_roles SET member_id = '{hers}', primary_role = false WHERE member_id = '{mine}'; \
            UPDATE facility_members SET status = 'removed', status_reason = 'left' WHERE id = '{hers}'"
        ),
        format!("DELETE FROM member_roles WHERE member_id = '{mine}'"),
        format!(
            "DELETE FROM member_roles WHERE member_id = '{mine}'; DELETE FROM facility_members WHERE id = '{mine}'"
        ),
    ] {
        let refused = by_hand(&app, &format!("BEGIN; {statement}; COMMIT")).await;
        assert_eq!(refused, Err("facilities_administrator_check".to_owned()), "{statement}");
    }
    assert_eq!(state(&app).await, before);
    // The role may be handed over in one transaction, in either order.
    let handed_over = format!(
        "BEGIN; DELETE FROM member_roles WHERE member_id = '{mine}'; \
         UPDATE member_roles SET role = 'administrator' WHERE member_id = '{hers}'; COMMIT"
    );
    by_hand(&app, &handed_over).await.unwrap();
}

#[tokio::test]
async fn the_database_keeps_an_administrator_against_two_transactions_at_once() {
    let app = TestApp::start().await;
    let (one, two) = (administrator(&app).await, staff(&app, "Tobias Grell", &[Role::Administrator]).await);
    let end = |someone: &Staff| {
        let user = someone.user.uuid();
        format!(
            "BEGIN; UPDATE facility_members SET status = 'removed', status_reason = 'left' WHERE user_id = '{user}'"
        )
    };
    let connect = async || {
        let (client, connection) = tokio_postgres::connect(&app.database.superuser_url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    let (first, second) = (connect().await, connect().await);
    first.batch_execute(&end(&one)).await.unwrap();
    second.batch_execute(&end(&two)).await.unwrap();
    let (first, second) = tokio::join!(first.batch_execute("COMMIT"), second.batch_execute("COMMIT"));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(administrators(&app).await, "1");
}
