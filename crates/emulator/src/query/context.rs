//! What a query may know: the catalog, the caller, the session and its variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::PrimitiveDateTime;

use crate::answer::{ServerError, SqlType, Value};
use crate::catalog::object::Object;
use crate::catalog::permission::{Action, Securable};
use crate::catalog::principal::Principal;
use crate::catalog::{Catalog, Permission};
use crate::session_port::Cancel;

/// Everything that one query reads besides its own text.
#[derive(Clone)]
pub struct QueryContext {
    /// The state, which does not change while the query runs.
    pub catalog: Arc<Catalog>,
    /// What the caller may see and do.
    pub rights: Arc<dyn Rights>,
    /// The session.
    pub session: SessionFacts,
    /// Variables and parameters by name in lower case, with the `@`.
    pub variables: BTreeMap<String, (SqlType, Value)>,
    /// All sessions of the pool, for the session views.
    pub sessions: Vec<SessionRow>,
    /// Asks a long query to stop.
    pub cancel: Cancel,
}

/// What the effective caller may see and do; the one permission check in the path of every query.
pub trait Rights: Send + Sync {
    /// 229 or 230 unless the caller may do `action` on these columns. No columns means that none is named, as in
    /// `COUNT(*)`.
    fn check(&self, object: &Object, columns: &[i32], action: Action) -> Result<(), ServerError>;
    /// Whether the caller holds `action` on a securable (HAS_PERMS_BY_NAME).
    fn has(&self, action: Action, on: Securable) -> bool;
    /// Whether the caller sees this row of `sys.database_principals`.
    fn sees_principal(&self, principal: &Principal) -> bool;
    /// Whether the caller sees this row of `sys.database_role_members`.
    fn sees_member(&self, role: i32, member: i32) -> bool;
    /// Whether the caller sees this row of `sys.database_permissions`.
    fn sees_permission(&self, permission: &Permission) -> bool;
    /// Whether the caller sees this object in `sys.objects`.
    fn sees_object(&self, object: &Object) -> bool;
    /// Whether the caller sees the text of this object.
    fn sees_definition(&self, object: &Object) -> bool;
    /// Whether the caller sees the sessions of others.
    fn sees_sessions(&self) -> bool;
    /// Whether the caller holds a permission of the server; `None` if there is no such permission.
    fn has_at_server(&self, permission: &str) -> Option<bool>;
    /// Whether the caller sees logins, roles and permissions of the server.
    fn sees_server(&self) -> bool;
    /// `IS_SRVROLEMEMBER` of the caller; `None` if there is no such role.
    fn is_server_role_member(&self, role: &str) -> Option<bool>;
    /// `IS_MEMBER`; `None` if there is no such role or group.
    fn is_member(&self, role_or_group: &str) -> Option<bool>;
    /// `IS_ROLEMEMBER`; `None` if role or principal is unknown.
    fn is_role_member(&self, role: &str, principal: Option<&str>) -> Option<bool>;
}

/// The session that asks.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The present instant in UTC, the same in a whole statement.
    pub now: PrimitiveDateTime,
    /// `principal_id` of the effective user (an Entra group's for those who enter through one).
    pub user_id: i32,
    /// `USER_NAME()`
    pub user_name: String,
    /// `SUSER_SNAME()`, `SYSTEM_USER`
    pub login_name: String,
    /// `ORIGINAL_LOGIN()`
    pub original_login: String,
    /// Security id of the login.
    pub sid: Vec<u8>,
    /// Where bare names are looked up first.
    pub default_schema: String,
    /// `@@SPID`
    pub spid: u16,
    /// `SESSION_ID()`, as `SID12`.
    pub session_id: String,
    /// `DB_NAME()`
    pub database: String,
    /// `DB_ID()`
    pub database_id: i64,
    /// All databases of the server, by id.
    pub databases: Vec<(i64, String)>,
    /// `@@SERVERNAME`
    pub server_name: String,
    /// Collation of server and database.
    pub collation: String,
    /// Dedicated pool; else serverless.
    pub dedicated: bool,
    /// `@@TRANCOUNT`
    pub transactions: i32,
    /// `XACT_STATE()`
    pub transaction_state: i32,
    /// `@@ERROR`
    pub last_error: i32,
    /// `@@ROWCOUNT`
    pub row_count: i64,
    /// `HOST_NAME()`
    pub host_name: String,
    /// `APP_NAME()`
    pub app_name: String,
    /// `SESSION_CONTEXT`, by key in lower case.
    pub context: BTreeMap<String, (SqlType, Value)>,
}

/// One row of the session views.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// `session_id` as `SID12`
    pub session_id: String,
    /// The number of the session.
    pub spid: u16,
    /// `ACTIVE`, `IDLE`, `CLOSED` or `TERMINATED`
    pub status: String,
    /// Last request, as `QID7`
    pub request_id: Option<String>,
    /// Security id of the login that entered.
    pub sid: Vec<u8>,
    /// The login that entered.
    pub login_name: String,
    /// The database that it is in.
    pub database_id: i64,
    /// As whom it acts since EXECUTE AS: security id and login.
    pub acts_as: Option<(Vec<u8>, String)>,
    /// When it logged in.
    pub login_time: PrimitiveDateTime,
    /// Requests so far.
    pub query_count: i64,
    /// Whether a transaction is open.
    pub in_transaction: bool,
    /// Peer as `ip:port`
    pub client: String,
    /// Application name.
    pub app_name: String,
    /// Workstation name.
    pub host_name: String,
}
