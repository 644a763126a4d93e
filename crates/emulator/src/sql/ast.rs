//! What a statement says, before any name is looked up.

use crate::answer::{SqlType, Value};
use crate::catalog::object::{Distribution, ObjectKind};
use crate::catalog::permission::Action;
use crate::catalog::server::ServerAction;
use crate::query::{Change, Condition, Expression, InlineFunction, Query};

/// One statement and where it begins.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What it asks for.
    pub kind: Kind,
    /// Line of its first token, from 1.
    pub line: u32,
}

/// Where a new user comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSource {
    /// `FOR LOGIN x`; without any clause the login of the same name.
    Login(String),
    /// `WITHOUT LOGIN`
    WithoutLogin,
    /// `FROM EXTERNAL PROVIDER`
    External,
}

/// One entry of `ALTER USER … WITH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// `NAME = x`
    Name(String),
    /// `DEFAULT_SCHEMA = x`, or `NULL`
    DefaultSchema(Option<String>),
    /// `LOGIN = x`
    Login(String),
}

/// GRANT, DENY or REVOKE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GRANT
    Grant,
    /// DENY
    Deny,
    /// REVOKE
    Revoke,
}

/// The securable of a permission statement, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// No `ON`, or `ON DATABASE::x` with its name.
    Database(Option<String>),
    /// `ON [OBJECT::]s.o`
    Object(Vec<String>),
    /// `ON SCHEMA::x`
    Schema(String),
    /// `ON ROLE::x`
    Role(String),
    /// `ON USER::x`
    User(String),
    /// `ON DATABASE SCOPED CREDENTIAL::x` (serverless)
    Credential(String),
}

/// The securable of a permission statement at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerTarget {
    /// No `ON`.
    Server,
    /// `ON LOGIN::x`
    Login(String),
    /// `ON CREDENTIAL::x`
    Credential(String),
}

/// A whole GRANT, DENY or REVOKE at the server (serverless).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPermission {
    /// Which of the three.
    pub verb: Verb,
    /// Permissions.
    pub actions: Vec<ServerAction>,
    /// On what.
    pub target: ServerTarget,
    /// To or from whom.
    pub logins: Vec<String>,
    /// `WITH GRANT OPTION`
    pub with_grant_option: bool,
    /// `CASCADE`
    pub cascade: bool,
}

/// A whole GRANT, DENY or REVOKE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionStatement {
    /// Which of the three.
    pub verb: Verb,
    /// Permissions, each with the columns named behind it.
    pub actions: Vec<(Action, Vec<String>)>,
    /// Columns named behind the object.
    pub columns: Vec<String>,
    /// On what.
    pub target: Target,
    /// To or from whom.
    pub principals: Vec<String>,
    /// `WITH GRANT OPTION`
    pub with_grant_option: bool,
    /// `GRANT OPTION FOR`
    pub grant_option_for: bool,
    /// `CASCADE`
    pub cascade: bool,
}

/// A column of CREATE TABLE or ALTER TABLE ADD.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: SqlType,
    /// NULL allowed.
    pub nullable: bool,
    /// `IDENTITY(seed, increment)`
    pub identity: Option<(i64, i64)>,
    /// `DEFAULT literal`
    pub default: Option<Value>,
}

/// What fills a new table.
#[derive(Debug, Clone)]
pub enum TableSource {
    /// A list of columns: an empty table.
    Columns(Vec<ColumnDefinition>),
    /// `AS SELECT …`
    Query(Query),
}

/// What ALTER TABLE does.
#[derive(Debug, Clone, PartialEq)]
pub enum TableChange {
    /// `ADD c type …`
    Add(Vec<ColumnDefinition>),
    /// `DROP COLUMN c`
    Drop(Vec<String>),
}

/// An argument of EXEC.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `@name =`, with its sign.
    pub name: Option<String>,
    /// What is passed.
    pub value: ArgumentValue,
}

/// Procedures take literals and variables, no expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgumentValue {
    /// A literal with its type.
    Literal(SqlType, Value),
    /// A variable, with its sign.
    Variable(String),
}

/// A workload classifier's options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassifierOptions {
    /// `WORKLOAD_GROUP`
    pub group: Option<String>,
    /// `MEMBERNAME`
    pub member: Option<String>,
    /// `WLM_LABEL`
    pub label: Option<String>,
    /// `WLM_CONTEXT`
    pub context: Option<String>,
    /// `START_TIME`
    pub start: Option<String>,
    /// `END_TIME`
    pub end: Option<String>,
    /// `IMPORTANCE`
    pub importance: Option<String>,
}

/// What DBCC SHOW_STATISTICS can show, each as a result of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatisticsPart {
    /// `STAT_HEADER`
    Header,
    /// `DENSITY_VECTOR`
    Density,
    /// `HISTOGRAM`
    Histogram,
}

impl StatisticsPart {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Header, Self::Density, Self::Histogram];
}

/// A filter predicate as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredicateText {
    /// The function.
    pub function: Vec<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// `ON`
    pub table: Vec<String>,
}

/// One entry of CREATE or ALTER SECURITY POLICY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PredicateChange {
    /// `ADD FILTER PREDICATE`
    Add(PredicateText),
    /// `ALTER FILTER PREDICATE`
    Alter(PredicateText),
    /// `DROP FILTER PREDICATE ON`
    Drop(Vec<String>),
}

/// CREATE or ALTER SECURITY POLICY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStatement {
    /// Its name.
    pub name: Vec<String>,
    /// CREATE; else ALTER.
    pub create: bool,
    /// Its predicates.
    pub changes: Vec<PredicateChange>,
    /// `STATE`, where it is said.
    pub enabled: Option<bool>,
    /// `SCHEMABINDING`
    pub schema_bound: bool,
}

/// What a statement asks for.
#[derive(Debug, Clone)]
pub enum Kind {
    /// CREATE USER
    CreateUser { name: String, source: UserSource, default_schema: Option<String> },
    /// ALTER USER … WITH
    AlterUser { name: String, changes: Vec<UserChange> },
    /// DROP USER
    DropUser { name: String, if_exists: bool },
    /// CREATE LOGIN; without a password `FROM EXTERNAL PROVIDER`.
    CreateLogin { name: String, password: Option<String> },
    /// ALTER LOGIN … WITH PASSWORD
    AlterLogin { name: String, password: String },
    /// DROP LOGIN
    DropLogin { name: String },
    /// CREATE ROLE
    CreateRole { name: String, owner: Option<String> },
    /// ALTER ROLE … WITH NAME
    RenameRole { name: String, to: String },
    /// ALTER ROLE … ADD | DROP MEMBER (serverless)
    AlterRoleMember { role: String, member: String, add: bool },
    /// DROP ROLE
    DropRole { name: String, if_exists: bool },
    /// ALTER SERVER ROLE … ADD | DROP MEMBER (serverless)
    AlterServerRole { role: String, member: String, add: bool },
    /// GRANT, DENY and REVOKE at the server (serverless)
    ServerPermission(ServerPermission),
    /// CREATE and DROP [DATABASE SCOPED] CREDENTIAL (serverless)
    Credential { name: String, create: bool, of_database: bool },
    /// GRANT, DENY, REVOKE
    Permission(PermissionStatement),
    /// CREATE SCHEMA
    CreateSchema { name: String, owner: Option<String> },
    /// DROP SCHEMA
    DropSchema { name: String, if_exists: bool },
    /// ALTER SCHEMA … TRANSFER
    Transfer { schema: String, object: Vec<String> },
    /// ALTER AUTHORIZATION
    Authorization { target: Target, owner: String },
    /// CREATE TABLE
    CreateTable { name: Vec<String>, source: TableSource, distribution: Distribution },
    /// ALTER TABLE
    AlterTable { name: Vec<String>, change: TableChange },
    /// CREATE STATISTICS
    CreateStatistics { name: String, table: Vec<String>, columns: Vec<String> },
    /// DROP STATISTICS
    DropStatistics { name: String, table: Vec<String> },
    /// DBCC PDW_SHOWSPACEUSED
    ShowSpaceUsed { table: Option<Vec<String>> },
    /// DBCC SHOW_STATISTICS
    ShowStatistics { table: Vec<String>, name: String, parts: Vec<StatisticsPart> },
    /// TRUNCATE TABLE
    Truncate { name: Vec<String> },
    /// RENAME OBJECT
    Rename { name: Vec<String>, to: String },
    /// CREATE VIEW, CREATE OR ALTER VIEW (serverless) and ALTER VIEW
    View { name: Vec<String>, columns: Vec<String>, query: Query, text: String, create: bool, alter: bool },
    /// CREATE FUNCTION … RETURNS TABLE and ALTER FUNCTION
    Function { name: Vec<String>, function: InlineFunction, text: String, alter: bool },
    /// CREATE and ALTER SECURITY POLICY
    Policy(PolicyStatement),
    /// ALTER DATABASE … SET RESULT_SET_CACHING
    DatabaseCaching { database: String, on: bool },
    /// SET RESULT_SET_CACHING
    SetCaching(bool),
    /// DROP SECURITY POLICY
    DropPolicy { name: Vec<String>, if_exists: bool },
    /// CREATE PROCEDURE and CREATE FUNCTION of a scalar: kept, not run.
    CreateModule { name: Vec<String>, kind: ObjectKind, text: String },
    /// DROP TABLE, VIEW, PROCEDURE, FUNCTION
    DropObject { name: Vec<String>, kind: ObjectKind, if_exists: bool },
    /// CREATE WORKLOAD CLASSIFIER
    CreateClassifier { name: String, options: ClassifierOptions },
    /// DROP WORKLOAD CLASSIFIER
    DropClassifier { name: String },
    /// KILL
    Kill { session: String },
    /// EXEC procedure
    Execute { procedure: Vec<String>, arguments: Vec<Argument> },
    /// EXEC ('…')
    ExecuteText(Vec<ArgumentValue>),
    /// EXECUTE AS USER
    ExecuteAs { user: ArgumentValue, no_revert: bool },
    /// REVERT
    Revert,
    /// DECLARE
    Declare(Vec<(String, SqlType, Option<Expression>)>),
    /// SET @x =
    SetVariable { name: String, value: Expression },
    /// SET options that change nothing here.
    SetIgnored,
    /// SET IMPLICIT_TRANSACTIONS, SET AUTOCOMMIT
    SetImplicitTransactions(bool),
    /// SET NOCOUNT
    SetNoCount(bool),
    /// IF
    If { condition: Condition, then: Box<Statement>, otherwise: Option<Box<Statement>> },
    /// WHILE
    While { condition: Condition, body: Box<Statement> },
    /// BREAK
    Break,
    /// BEGIN … END
    Block(Vec<Statement>),
    /// BEGIN TRY … END TRY BEGIN CATCH … END CATCH
    TryCatch { body: Vec<Statement>, catch: Vec<Statement> },
    /// PRINT
    Print(Expression),
    /// THROW; without arguments the caught error again.
    Throw(Option<(Expression, Expression, Expression)>),
    /// RAISERROR
    RaiseError { message: Expression, class: u8, state: u8 },
    /// BEGIN TRANSACTION
    Begin,
    /// COMMIT
    Commit,
    /// ROLLBACK
    Rollback,
    /// SELECT
    Query(Query),
    /// INSERT, UPDATE, DELETE
    Change(Change),
    /// INSERT BULK: the rows come in a message of their own.
    InsertBulk { table: Vec<String>, columns: Vec<(String, SqlType)> },
    /// USE
    Use(String),
}

impl Kind {
    /// Whether it changes metadata or rights, so that it may not run in a transaction.
    pub fn is_definition(&self) -> bool {
        matches!(
            self,
            Self::CreateUser { .. }
                | Self::AlterUser { .. }
                | Self::DropUser { .. }
                | Self::CreateLogin { .. }
                | Self::AlterLogin { .. }
                | Self::DropLogin { .. }
                | Self::CreateRole { .. }
                | Self::RenameRole { .. }
                | Self::AlterRoleMember { .. }
                | Self::DropRole { .. }
                | Self::AlterServerRole { .. }
                | Self::ServerPermission(_)
                | Self::Credential { .. }
                | Self::Permission(_)
                | Self::CreateSchema { .. }
                | Self::DropSchema { .. }
                | Self::Transfer { .. }
                | Self::Authorization { .. }
                | Self::CreateTable { .. }
                | Self::AlterTable { .. }
                | Self::CreateStatistics { .. }
                | Self::DropStatistics { .. }
                | Self::Truncate { .. }
                | Self::Rename { .. }
                | Self::View { .. }
                | Self::Function { .. }
                | Self::Policy(_)
                | Self::DropPolicy { .. }
                | Self::DatabaseCaching { .. }
                | Self::CreateModule { .. }
                | Self::DropObject { .. }
                | Self::CreateClassifier { .. }
                | Self::DropClassifier { .. }
        )
    }
}
