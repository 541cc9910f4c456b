//! The two doors to the database: a request never waits for a connection that it has itself.

use anamnesis::access::RequestContext;
use anamnesis::domains::{documents, operations};
use anamnesis::error::{Error, Stop};
use diesel::QueryableByName;
use diesel::sql_types::{Nullable, Text};
use diesel_async::RunQueryDsl as _;

use crate::harness::TestApp;

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Nullable<Text>)]
    facility: Option<String>,
}

/// A server with one connection, for which nobody waits long.
async fn one_connection() -> TestApp {
    TestApp::start_with(&[("ANAMNESIS_DATABASE_POOL", "1"), ("ANAMNESIS_DATABASE_WAIT_SECONDS", "2")]).await
}

async fn write(ctx: &RequestContext) -> Result<(), Stop<std::convert::Infallible>> {
    ctx.write(&operations::policy::SWEEP).run(|_| async { Ok(()) }).await
}

#[tokio::test]
async fn a_read_that_is_held_on_to_does_not_keep_its_request_from_writing() {
    let app = one_connection().await;
    let ctx = app.system(app.facility);
    let read = ctx.read(&documents::policy::PROCESS).await.unwrap();
    write(&ctx).await.unwrap();
    // What was read from is over, whoever holds it.
    assert!(matches!(read.db(), Err(Error::Internal(_))));
    let again = ctx.read(&documents::policy::PROCESS).await.unwrap();
    assert!(again.db().is_ok());
    ctx.finish().await.unwrap();
    write(&ctx).await.unwrap();
    drop((read, again));
    // Nobody holds the connection any more: another request has it, and the same one again.
    let other = app.system(app.other);
    write(&other).await.unwrap();
    write(&ctx).await.unwrap();
    assert_eq!(app.app.database.pool_status(), (1, 1));
}

#[tokio::test]
async fn a_connection_lent_on_is_bound_anew() {
    let app = one_connection().await;
    let ctx = app.system(app.facility);
    let held = ctx.read(&documents::policy::PROCESS).await.unwrap();
    ctx.finish().await.unwrap();
    let read = ctx.read(&documents::policy::PROCESS).await.unwrap();
    let bound = async || -> Option<String> {
        let setting: Setting = anamnesis::db::sql("SELECT current_setting('app.facility_id', true) AS facility")
            .get_result(&mut read.db().unwrap())
            .await
            .unwrap();
        setting.facility
    };
    assert_eq!(bound().await, Some(anamnesis::ids::TypedId::uuid(app.facility).to_string()));
    // Another context never gets it, however it is made.
    let purpose = ctx.for_purpose(anamnesis::access::Purpose::Payment);
    let refused = purpose.read(&documents::policy::PROCESS).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    ctx.finish().await.unwrap();
    drop((held, read));
    purpose.read(&documents::policy::PROCESS).await.unwrap();
}

#[tokio::test]
async fn a_transaction_dropped_midway_takes_a_lent_connection_down_with_it() {
    let app = one_connection().await;
    let ctx = app.system(app.facility);
    let held = ctx.read(&documents::policy::PROCESS).await.unwrap();
    let backend =
        "SELECT pid::text FROM pg_stat_activity WHERE usename = 'anamnesis_server' AND datname = current_database()";
    let before = app.db_value(backend).await;
    {
        let stuck = ctx.write(&operations::policy::SWEEP).run::<(), std::convert::Infallible, _, _>(|tx| async move {
            assert!(tx.db().is_ok());
            std::future::pending().await
        });
        let mut stuck = std::pin::pin!(stuck);
        // Far enough to be in the transaction.
        let limit = std::time::Duration::from_millis(500);
        assert!(tokio::time::timeout(limit, &mut stuck).await.is_err());
    }
    drop(held);
    write(&ctx).await.unwrap();
    let after = app.db_query(&format!("{backend} AND state = 'idle' AND pid <> {before}")).await;
    assert_eq!(after.len(), 1, "the connection was used again");
}
