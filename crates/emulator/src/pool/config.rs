//! How a pool is set up.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::directory::Directory;
use crate::query::COLLATION;

/// The two kinds of SQL pool, which speak different dialects of membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// Dedicated: `sp_addrolemember`, EngineEdition 6.
    Dedicated,
    /// Serverless: `ALTER ROLE … ADD MEMBER`, EngineEdition 11.
    Serverless,
}

/// What a pool starts with.
#[derive(Clone)]
pub struct PoolConfig {
    /// Which kind.
    pub kind: PoolKind,
    /// Name of the database.
    pub database: String,
    /// Names of further databases on the same endpoint (serverless).
    pub beside: Vec<String>,
    /// `@@SERVERNAME`
    pub server_name: String,
    /// Name of the SQL administrator.
    pub admin: String,
    /// Its password.
    pub admin_password: String,
    /// UPN of a person, or display name of a group or application, that enters as `dbo`. Without one no token is admitted.
    pub entra_admin: Option<String>,
    /// The tenant.
    pub directory: Directory,
    /// Whether the database is a lake database, replicated from Spark: it takes no definitions (serverless).
    pub lake: bool,
    /// Whether VIEW SERVER STATE alone shows the sessions of others (serverless): no page says whether VIEW DATABASE STATE does too.
    pub sessions_at_server: bool,
    /// What server and database say their collation is. Texts and names are compared as ever.
    pub collation: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl PoolConfig {
    /// A dedicated pool named `dw` with this SQL administrator, an empty directory and the machine's clock.
    pub fn new(admin: impl Into<String>, admin_password: impl Into<String>) -> Self {
        Self {
            kind: PoolKind::Dedicated,
            database: "dw".to_owned(),
            beside: Vec::new(),
            server_name: "axon-emulator".to_owned(),
            admin: admin.into(),
            admin_password: admin_password.into(),
            entra_admin: None,
            directory: Directory::default(),
            lake: false,
            sessions_at_server: false,
            collation: COLLATION.to_owned(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for PoolConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolConfig")
            .field("kind", &self.kind)
            .field("database", &self.database)
            .field("admin", &self.admin)
            .field("entra_admin", &self.entra_admin)
            .finish_non_exhaustive()
    }
}
