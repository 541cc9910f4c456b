//! Up, down and up again gives the same database.

use std::process::Command;

use anamnesis::config::Secret;
use anamnesis::db::migrate;

use crate::harness::cluster;

fn dump(url: &str) -> String {
    let output = Command::new(cluster().program("pg_dump"))
        .args(["--schema-only", "--no-publications", "--no-subscriptions", "--restrict-key=anamnesis", "--dbname", url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn up_down_up_gives_the_same_schema() {
    let database = cluster().database().await;
    let owner = Secret::new(database.owner_url.clone());
    let first = dump(&database.superuser_url);
    assert!(first.contains("CREATE TABLE public.patients"));
    let reverted = migrate::down_all(&owner).await.unwrap();
    assert!(reverted >= 7);
    let empty = dump(&database.superuser_url);
    assert!(!empty.contains("CREATE TABLE public.patients"), "patients survived the way down");
    let again = migrate::up(&owner).await.unwrap();
    assert_eq!(again.applied.len(), reverted);
    assert_eq!(first, dump(&database.superuser_url));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_current_database_is_left_alone() {
    let database = cluster().database().await;
    let owner = Secret::new(database.owner_url.clone());
    let done = migrate::up(&owner).await.unwrap();
    assert!(done.applied.is_empty() && !done.replaced);
    assert!(migrate::pending(&owner).await.unwrap().is_empty());
}
