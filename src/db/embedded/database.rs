//! A database of the product in the embedded cluster: the roles that production has too, and the extension.

use super::{Embedded, SUPERUSER};
use crate::config::Secret;
use crate::db::execute_as;
use crate::error::Result;

/// Owns the schema; migrates.
pub const OWNER: &str = "anamnesis_owner";
/// Serves: owns nothing, bypasses nothing.
const SERVER: &str = "anamnesis_server";

/// Ways into a database, by who goes.
#[derive(Debug, Clone)]
pub struct DatabaseUrls {
    pub server: Secret,
    pub owner: Secret,
    /// For what only an attacker with the disk, or a benchmark that loads, does.
    pub superuser: Secret,
}

impl Embedded {
    /// Ways into a database of this name.
    #[must_use]
    pub fn database(&self, name: &str) -> DatabaseUrls {
        let url = |user| Secret::new(self.url(name, user));
        DatabaseUrls { server: url(SERVER), owner: url(OWNER), superuser: url(SUPERUSER) }
    }

    /// Makes an empty database of this name, in the place of one that is there; makes the roles unless they are there.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn recreate_database(&self, name: &str) -> Result<DatabaseUrls> {
        let admin = self.database("postgres").superuser;
        let roles = format!(
            "DO $$ BEGIN \
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') THEN CREATE ROLE {OWNER} LOGIN CREATEROLE; END IF; \
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVER}') THEN \
                 CREATE ROLE {SERVER} LOGIN NOSUPERUSER NOBYPASSRLS; END IF; END $$"
        );
        for statement in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            roles,
            format!("CREATE DATABASE {name} OWNER {OWNER}"),
        ] {
            execute_as(&admin, &statement).await?;
        }
        let urls = self.database(name);
        // The extension is the one thing that needs a superuser.
        execute_as(&urls.superuser, "CREATE EXTENSION vector").await?;
        Ok(urls)
    }
}
