//! The demo's folder: configuration, role map, store, token, logs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use axon_model::{Clock, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{beside, people};

/// A folder of this run alone.
pub struct Workplace {
    path: PathBuf,
    password: String,
}

impl Workplace {
    /// Makes it, readable by its owner only, with what does not depend on ports.
    pub fn make() -> anyhow::Result<Self> {
        let name = format!("axon-demo-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
        }
        let password = format!("Demo-{}", uuid::Uuid::new_v4().simple());
        let place = Self { path, password };
        let secret = format!("Demo-{}", uuid::Uuid::new_v4().simple());
        place.write("client.secret", &secret)?;
        place.write("directory.json", &serde_json::to_string_pretty(&people::directory(&secret)?)?)?;
        place.write("cloud.json", &serde_json::to_string_pretty(&beside::cloud())?)?;
        Ok(place)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it, as an argument.
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The store's address.
    pub fn store(&self) -> String {
        format!("sqlite:{}", self.file("axon.db"))
    }

    /// The pool's password.
    pub fn password(&self) -> String {
        self.password.clone()
    }

    /// The configuration, and the bundled map with the ports that the pool and its neighbours took.
    pub fn write_configuration(&self, pool: &str, rest: &str) -> anyhow::Result<()> {
        let azure = format!("http://{rest}");
        let config = format!(
            "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\nlog: {{ format: json, level: info }}\n\
             sources:\n  entra: {{ kind: entra }}\n  okta: {{ kind: okta }}\n\
             azure: {{ authority: \"{azure}\", resource_manager: \"{azure}\", graph: \"{azure}\" }}\n\
             parity: {{ requests_per_minute: 6000 }}\n"
        );
        self.write("axon.yaml", &config)?;
        let (_, port) = pool.rsplit_once(':').context("the pool's address has a port")?;
        let map = include_str!("role-map.yaml").replace("port: 1433", &format!("port: {port}"));
        self.write("role-map.yaml", &map.replace("http://127.0.0.1:8443", &azure))
    }

    /// An access token for the pool, as a token agent would leave it in a file. The emulator checks no signature.
    pub fn write_token(&self) -> anyhow::Result<()> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let now = SystemClock.now().unix_timestamp();
        let token = [
            part(json!({ "alg": "none", "typ": "JWT" })),
            part(json!({
                "aud": "https://database.windows.net/", "iat": now, "nbf": now, "exp": now + 24 * 3600,
                "upn": people::ENTRA_ADMIN, "oid": people::object_id(9, 1),
            })),
            URL_SAFE_NO_PAD.encode("unsigned"),
        ]
        .join(".");
        self.write("pool.token", &token)
    }

    /// Where to look when something went wrong.
    pub fn hint(&self) -> String {
        format!("the logs are {} and {}", self.file("serve.log"), self.file("emulator.log"))
    }

    /// Removes it.
    pub fn remove(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
