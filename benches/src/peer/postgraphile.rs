//! PostGraphile over the same database, under the same row-level security. It neither signs anybody in nor decrypts nor
//! audits, so what it answers is less: it reads the same rows.

use std::path::Path;
use std::process::Stdio;

use anamnesis::ids::{FacilityId, TypedId as _};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::up;
use crate::Result;
use crate::bed::Bed;
use crate::server::free_address;
use crate::wrk::Request;

/// Its files: what npm needs to install it in locked versions, with a Node of the version it wants, and the server.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../peers/postgraphile/package.json")),
    ("package-lock.json", include_str!("../../peers/postgraphile/package-lock.json")),
    ("server.mjs", include_str!("../../peers/postgraphile/server.mjs")),
];
/// Says which facility a request is for.
const FACILITY: &str = "x-facility-id";
/// As many connections as the server has.
const POOL: &str = "16";

/// A running one; it ends with this.
pub struct Postgraphile {
    child: Child,
    pub url: String,
}

impl Postgraphile {
    /// Installs it below the folder of the run and starts it; none, with the reason printed, where npm or its registry
    /// is not there.
    ///
    /// # Errors
    /// When it is installed and does not come up.
    pub async fn start(bed: &Bed) -> Result<Option<Self>> {
        let folder = bed.folder.path.join("postgraphile");
        if let Err(reason) = install(&folder).await {
            println!("without PostGraphile: {reason}");
            return Ok(None);
        }
        let address = free_address()?;
        let settings = json!({ "app.scope": "facility", "app.patient_scope": "all", "app.part2": "on",
            "app.user_id": bed.population.user.uuid(), "app.now": bed.app.clock.now() });
        // The program itself: what npm links to would leave it running when it is killed.
        let child = Command::new(folder.join("node_modules/node/bin/node"))
            .arg("server.mjs")
            .current_dir(&folder)
            .env("GRAPHILE_ENV", "production")
            .env("PEER_DATABASE_URL", bed.urls.server.reveal())
            .env("PEER_SETTINGS", settings.to_string())
            .env("PEER_POOL", POOL)
            .env("PEER_PORT", address.port().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let url = format!("http://{address}/graphql");
        up(&url).await?;
        Ok(Some(Self { child, url }))
    }

    /// A request for a facility; it knows no users.
    pub fn request(facility: FacilityId, operation: &str, variables: &Value) -> Request {
        let identity = (FACILITY, facility.uuid().to_string());
        Request { identity, body: json!({ "query": operation, "variables": variables }).to_string() }
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| "PostGraphile has ended".into())
    }
}

async fn install(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text)?;
    }
    if folder.join("node_modules/.package-lock.json").exists() {
        return Ok(());
    }
    let installed = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--silent"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|_| "npm is not there")?;
    if installed.status.success() { Ok(()) } else { Err("npm could not install it".into()) }
}
