//! Who a session is at one moment: after login, or inside `EXECUTE AS USER`.

/// The identity that permissions are checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The principal in the database. A person who entered through groups only has the first group's id here.
    pub principal: i32,
    /// `USER_NAME()`: the principal's name, or the person's own name when a group let them in.
    pub user_name: String,
    /// `SUSER_SNAME()` and `login_name` of the session.
    pub login_name: String,
    /// Security id of the login.
    pub sid: Vec<u8>,
    /// Entra groups of the token that are principals of the database.
    pub groups: Vec<i32>,
    /// Whether the login was proved with an Entra token.
    pub external: bool,
    /// Whether it is an application or managed identity.
    pub application: bool,
    /// Whether it is an administrator of the server, who enters every database with all rights.
    pub administrator: bool,
    /// The logins of the server that speak for the caller: its own and those of its Entra groups (serverless).
    pub logins: Vec<i32>,
}
