//! Numbers and texts of the server's errors, one function each.
//!
//! Wording and severity are those of the engine's message table; numbers above 100000 belong to the distributed
//! engine, whose texts repeat the number where it does so itself.

use crate::answer::ServerError;
use crate::catalog::permission::Action;

/// 103010: what the dedicated parser says to everything that it does not know.
pub fn parse(line: u32, column: u32, near: &str) -> ServerError {
    let near: String = near.chars().take(128).collect();
    ServerError::new(
        103_010,
        format!("Parse error at line: {line}, column: {column}: Incorrect syntax near '{near}'."),
    )
    .at_line(line)
}

/// 105: a quotation mark was opened and never closed.
pub fn unclosed_quote(text: &str) -> ServerError {
    let shown: String = text.chars().take(128).collect();
    ServerError::new(105, format!("Unclosed quotation mark after the character string '{shown}'."))
        .with_class(15)
}

/// 113: a comment was opened and never closed.
pub fn unclosed_comment() -> ServerError {
    ServerError::new(113, "Missing end comment mark '*/'.").with_class(15)
}

/// 103: an identifier of more than 128 UTF-16 units.
pub fn identifier_too_long(name: &str) -> ServerError {
    let start: String = name.chars().take(128).collect();
    ServerError::new(
        103,
        format!("The identifier that starts with '{start}' is too long. Maximum length is 128."),
    )
    .with_class(15)
    .with_state(4)
}

/// 1038: `[]` or `""`.
pub fn empty_identifier() -> ServerError {
    ServerError::new(
        1038,
        "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. \
         For other statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. \
         Change the alias to a valid name.",
    )
    .with_class(15)
    .with_state(4)
}

/// 191: statements or expressions nested beyond the limit of this server.
pub fn nested_too_deeply() -> ServerError {
    ServerError::new(
        191,
        "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.",
    )
    .with_class(15)
}

/// 229: a permission on a whole object is missing.
pub fn object_denied(action: Action, object: &str, database: &str, schema: &str) -> ServerError {
    let action = action.name();
    ServerError::new(
        229,
        format!("The {action} permission was denied on the object '{object}', database '{database}', schema '{schema}'."),
    )
    .with_class(14)
    .with_state(5)
}

/// 230: a permission on a column is missing.
pub fn column_denied(
    action: Action,
    column: &str,
    object: &str,
    database: &str,
    schema: &str,
) -> ServerError {
    let action = action.name();
    ServerError::new(
        230,
        format!(
            "The {action} permission was denied on the column '{column}' of the object '{object}', database \
             '{database}', schema '{schema}'."
        ),
    )
    .with_class(14)
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) = $number:literal, $class:literal, $state:literal, $text:literal;)+) => {
        $($(#[$doc])* pub fn $name($($arg: $ty),*) -> ServerError {
            ServerError::new($number, format!($text)).with_class($class).with_state($state)
        })+
    };
}

messages! {
    /// 4022: rows that no INSERT BULK announced.
    no_bulk() = 4022, 16, 1, "Bulk load data came that no INSERT BULK announced.";
    /// 4816: a column of a bulk load is not the one that INSERT BULK named.
    bulk_column(number: usize) = 4816, 16, 1, "Invalid column type from bcp client for colid {number}.";
    /// 111: a view, procedure or schema that is not the first statement.
    not_first_in_batch(statement: &str) = 111, 15, 1, "'{statement}' must be the first statement in a query batch.";
    /// 40530: logins and users for logins come alone.
    not_alone_in_batch(statement: &str) = 40530, 15, 1, "The {statement} statement must be the only statement in the batch.";
    /// 104467: keys are hints only.
    enforced_constraint() = 104_467, 16, 1, "Enforced unique constraints are not supported. To create an unenforced unique constraint you must include the NOT ENFORCED syntax as part of your statement.";
    /// 15006: a backslash in the name of a user that is no Windows user.
    invalid_name(name: &str) = 15006, 16, 1, "'{name}' is not a valid name because it contains invalid characters.";
    /// 15023: users and roles share one namespace.
    principal_exists(name: &str) = 15023, 16, 1, "User, group, or role '{name}' already exists in the current database.";
    /// 15025: a login of that name exists.
    login_exists(name: &str) = 15025, 16, 1, "The server principal '{name}' already exists.";
    /// 15007: CREATE USER for a login that does not exist.
    no_such_login(name: &str) = 15007, 16, 1, "'{name}' is not a valid login or you do not have permission.";
    /// 15063: the security id has a user already.
    login_has_user() = 15063, 16, 1, "The login already has an account under a different user name.";
    /// 15081
    public_membership() = 15081, 16, 1, "Membership of the public role cannot be changed.";
    /// 15138: what is owned, as in `schema`.
    owns(what: &str) = 15138, 16, 1, "The database principal owns a {what} in the database, and cannot be dropped.";
    /// 15144
    role_has_members() = 15144, 16, 1, "The role has members. It must be empty before it can be dropped.";
    /// 15150: fixed things, `drop`, `user`, name.
    cannot(verb: &str, what: &str, name: &str) = 15150, 16, 1, "Cannot {verb} the {what} '{name}'.";
    /// 15151: missing or hidden, `drop`, `user`, name.
    missing(verb: &str, what: &str, name: &str) = 15151, 16, 1, "Cannot {verb} the {what} '{name}', because it does not exist or you do not have permission.";
    /// 15157: EXECUTE AS on what cannot be impersonated.
    setuser_failed(name: &str) = 15157, 16, 1, "Setuser failed because of one of the following reasons: the database principal '{name}' does not exist, its corresponding server principal does not have server access, this type of database principal cannot be impersonated, or you do not have permission.";
    /// 15183
    owns_objects() = 15183, 16, 1, "The database principal owns objects in the database and cannot be dropped.";
    /// 15247
    no_permission() = 15247, 16, 1, "User does not have permission to perform this action.";
    /// 15284
    is_grantor() = 15284, 16, 1, "The database principal has granted or denied permissions to objects in the database and cannot be dropped.";
    /// 15413: a membership that would close a circle.
    membership_cycle() = 15413, 11, 1, "Cannot make a role a member of itself.";
    /// 15421
    owns_role() = 15421, 16, 1, "The database principal owns a database role and cannot be dropped.";
    /// 15517
    cannot_impersonate(name: &str) = 15517, 16, 1, "Cannot execute as the database principal because the principal \"{name}\" does not exist, this type of principal cannot be impersonated, or you do not have permission.";
    /// 15159
    impersonation_too_deep() = 15159, 16, 1, "Maximum impersonation nesting level exceeded (limit 32).";
    /// 15196
    not_revertible() = 15196, 16, 1, "The current security context is non-revertible. The \"Revert\" statement failed.";
    /// 15600: a parameter of a system procedure that cannot be.
    bad_parameter(procedure: &str) = 15600, 15, 1, "An invalid parameter or option was specified for procedure '{procedure}'.";
    /// 15664
    context_read_only(key: &str) = 15664, 16, 1, "Cannot set key '{key}' in the session context. The key has been set as read_only for this session.";
    /// 15665
    context_full(key: &str) = 15665, 16, 1, "The value was not set for key '{key}' because the total size of keys and values in the session context would exceed the 1 MB limit.";
    /// 15871: what the other kind of pool would take.
    procedure_unsupported(name: &str) = 15871, 16, 4, "PROCEDURE '{name}' is not supported.";
    /// 33130
    not_in_directory(name: &str) = 33130, 16, 1, "Principal '{name}' could not be found or this principal type is not supported.";
    /// 33131
    not_unique(name: &str) = 33131, 16, 1, "Principal '{name}' was not unique.";
    /// 33134: the server identity may not read the directory, or the directory does not answer.
    directory_unavailable(name: &str) = 33134, 16, 1, "Principal '{name}' could not be found at this time. Please try again later.";
    /// 33159
    not_external_session(name: &str) = 33159, 16, 1, "Principal '{name}' could not be created. Only connections established with Active Directory accounts can create other Active Directory users.";
    /// 33171
    impersonate_external() = 33171, 16, 1, "Only active directory users can impersonate other active directory users.";
    /// 18456
    login_failed(name: &str) = 18456, 14, 1, "Login failed for user '{name}'.";
    /// 18456 for a token that is past its time.
    token_expired() = 18456, 14, 1, "Login failed for user '<token-identified principal>'. Token is expired.";
    /// 916: a login without a user in the database.
    not_in_database(login: &str, database: &str) = 916, 14, 2, "The server principal \"{login}\" is not able to access the database \"{database}\" under the current security context.";
    /// 4060
    no_such_database(database: &str) = 4060, 11, 1, "Cannot open database \"{database}\" requested by the login. The login failed.";
    /// 42108
    paused() = 42108, 14, 1, "Can not connect to the SQL pool since it is paused. Please resume the SQL pool and try again.";
    /// 42109
    warming_up() = 42109, 14, 1, "The SQL pool is warming up. Please try again.";
    /// 40613
    not_available(database: &str, server: &str) = 40613, 17, 1, "Database '{database}' on server '{server}' is not currently available. Please retry the connection later. If the problem persists, contact customer support, and provide them the session tracing ID of '{{00000000-0000-0000-0000-000000000000}}'.";
    /// 40501
    busy(seconds: u32) = 40501, 20, 1, "The service is currently busy. Retry the request after {seconds} seconds. Incident ID: {{00000000-0000-0000-0000-000000000000}}. Code: 0";
    /// 10928
    resource_limit(limit: u32) = 10928, 20, 1, "Resource ID : 1. The request limit for the database is {limit} and has been reached.";
    /// 10929
    resource_share() = 10929, 20, 1, "Resource ID : 1. The request minimum guarantee is 0, maximum limit is 90 and the current usage for the database is 90. However, the server is currently too busy to support requests greater than 0 for this database.";
    /// 49918
    not_enough_resources() = 49918, 16, 1, "Cannot process request. Not enough resources to process request. Please retry you request later.";
    /// 4624
    special_grantee() = 4624, 16, 1, "Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, information_schema, sys, or yourself.";
    /// 4617
    special_role() = 4617, 16, 1, "Cannot grant, deny or revoke permissions to or from special roles.";
    /// 4611
    needs_cascade() = 4611, 16, 1, "To revoke or deny grantable privileges, specify the CASCADE option.";
    /// 4613
    no_grant_permission() = 4613, 16, 1, "Grantor does not have GRANT permission.";
    /// 4606
    incompatible_privilege(action: &str) = 4606, 16, 1, "Granted or revoked privilege {action} is not compatible with object.";
    /// 1020
    columns_not_allowed() = 1020, 15, 3, "Sub-entity lists (such as column or security expressions) cannot be specified for entity-level permissions.";
    /// 207
    invalid_column(name: &str) = 207, 16, 1, "Invalid column name '{name}'.";
    /// 208
    invalid_object(name: &str) = 208, 16, 1, "Invalid object name '{name}'.";
    /// 262
    database_denied(action: &str, database: &str) = 262, 14, 1, "{action} permission denied in database '{database}'.";
    /// 2705
    duplicate_column(column: &str, table: &str) = 2705, 16, 3, "Column names in each table must be unique. Column name '{column}' in table '{table}' is specified more than once.";
    /// 1702
    too_many_columns(table: &str) = 1702, 16, 1, "CREATE TABLE failed because the table '{table}' exceeds the maximum of 1024 columns.";
    /// 2714
    object_exists(name: &str) = 2714, 16, 6, "There is already an object named '{name}' in the database.";
    /// 2760
    no_such_schema(name: &str) = 2760, 16, 1, "The specified schema name \"{name}\" either does not exist or you do not have permission to use it.";
    /// 2812
    no_such_procedure(name: &str) = 2812, 16, 62, "Could not find stored procedure '{name}'.";
    /// 201
    parameter_missing(procedure: &str, parameter: &str) = 201, 16, 4, "Procedure or function '{procedure}' expects parameter '{parameter}', which was not supplied.";
    /// 8144
    too_many_arguments(procedure: &str) = 8144, 16, 2, "Procedure or function {procedure} has too many arguments specified.";
    /// 8145
    unknown_parameter(procedure: &str, parameter: &str) = 8145, 16, 1, "{parameter} is not a parameter for procedure {procedure}.";
    /// 3701
    cannot_drop(kind: &str, name: &str) = 3701, 11, 5, "Cannot drop the {kind} '{name}', because it does not exist or you do not have permission.";
    /// 3705
    wrong_drop(used: &str, name: &str, kind: &str, right: &str) = 3705, 16, 1, "Cannot use DROP {used} with '{name}' because '{name}' is a {kind}. Use DROP {right}.";
    /// 3729
    schema_in_use(schema: &str, object: &str) = 3729, 16, 1, "Cannot drop schema '{schema}' because it is being referenced by object '{object}'.";
    /// 4701
    cannot_truncate(name: &str) = 4701, 16, 1, "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    /// 4902
    no_such_table(name: &str) = 4902, 16, 1, "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    /// 4924
    no_such_table_column(column: &str, table: &str) = 4924, 16, 1, "ALTER TABLE DROP COLUMN failed because column '{column}' does not exist in table '{table}'.";
    /// 4901
    column_needs_default(column: &str, table: &str) = 4901, 16, 1, "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column, or alternatively if none of the previous conditions are satisfied the table must be empty to allow addition of this column. Column '{column}' cannot be added to non-empty table '{table}' because it does not satisfy these conditions.";
    /// What a database that Spark owns takes: nothing. The number could not be checked, the words are those of the service.
    replicated_database() = 15868, 16, 1, "Operation is not allowed for a replicated database.";
    /// 4621: permissions of the server outside master.
    server_scope_outside_master() = 4621, 16, 1, "Permissions at the server scope can only be granted when the current database is master";
    /// 15434: a login that is at work.
    login_in_use(name: &str) = 15434, 16, 1, "Could not drop login '{name}' as the user is currently logged in.";
    /// 15530: a credential of that name.
    credential_exists(name: &str) = 15530, 16, 1, "The credential with name \"{name}\" already exists.";
    /// 313
    too_few_arguments(function: &str) = 313, 16, 3, "An insufficient number of arguments were supplied for the procedure or function {function}.";
    /// 1046: a predicate's argument that asks a table.
    subquery_in_predicate() = 1046, 15, 1, "Subqueries are not allowed in this context. Only scalar expressions are allowed.";
    /// 1054
    star_in_bound_text() = 1054, 15, 1, "Syntax '*' is not allowed in schema-bound objects.";
    /// 3729: `DROP TABLE`, name, who holds on to it.
    referenced(verb: &str, name: &str, by: &str) = 3729, 16, 1, "Cannot {verb} '{name}' because it is being referenced by object '{by}'.";
    /// 4512: a name of one part or of three in schema-bound text.
    name_cannot_be_bound(name: &str) = 4512, 16, 3, "Cannot schema bind function because name '{name}' is invalid for schema binding. Names must be in two-part format and an object cannot reference itself.";
    /// 4513: schema-bound text, or a schema-bound policy, over something that is not.
    not_schema_bound(name: &str) = 4513, 16, 2, "Cannot schema bind. '{name}' is not schema bound.";
    /// 5011
    cannot_alter_database(name: &str) = 5011, 14, 5, "User does not have permission to alter database '{name}', the database does not exist, or the database is not in a state that allows access checks.";
    /// 5074: a column that a schema-bound object names.
    column_referenced(by: &str, column: &str) = 5074, 16, 1, "The object '{by}' is dependent on column '{column}'.";
    /// 15336
    rename_referenced(name: &str) = 15336, 16, 1, "Object '{name}' cannot be renamed because the object participates in enforced dependencies.";
    /// 15348
    transfer_referenced() = 15348, 16, 1, "Cannot transfer a schemabound object.";
    /// 15871: what a serverless pool does not have.
    not_supported(statement: &str) = 15871, 16, 1, "{statement} is not supported.";
    /// 33261
    no_such_predicate(policy: &str, table: &str) = 33261, 16, 1, "The security policy '{policy}' does not contain a predicate on table '{table}'.";
    /// 33262
    predicate_exists(table: &str, policy: &str) = 33262, 16, 1, "A FILTER predicate for the same operation has already been defined on table '{table}' in the security policy '{policy}'.";
    /// 33263
    not_a_table_to_filter(name: &str) = 33263, 16, 1, "Security predicates can only be added to user tables and schema bound views. '{name}' is not a user table or a schema bound view.";
    /// 33264: a second enabled policy on one table.
    table_has_policy(policy: &str, table: &str, other: &str) = 33264, 16, 1, "The security policy '{policy}' cannot be enabled with a predicate on table '{table}'. Table '{table}' is already referenced by the enabled security policy '{other}'.";
    /// 33268
    no_table_to_filter(name: &str) = 33268, 16, 1, "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    /// 33270
    no_function_to_filter(name: &str) = 33270, 16, 1, "Cannot find the object \"{name}\" or this object is not an inline table-valued function.";
    /// 33271
    not_a_policy(name: &str) = 33271, 16, 1, "Cannot alter '{name}' because it is not a security policy.";
    /// 33272: a predicate whose function is gone, or that reads its own table.
    predicate_not_loaded(table: &str) = 33272, 16, 1, "Unable to load the security predicate for table \"{table}\".";
    /// 5001
    not_in_master() = 5001, 16, 2, "User must be in the master database.";
    /// 6102
    kill_denied() = 6102, 14, 1, "User does not have permission to use the KILL statement.";
    /// 6104
    kill_self() = 6104, 16, 1, "Cannot use KILL to kill your own process.";
    /// 6106
    not_a_process(session: &str) = 6106, 16, 1, "Process ID {session} is not an active process ID.";
    /// 137
    undeclared(name: &str) = 137, 15, 2, "Must declare the scalar variable \"{name}\".";
    /// 134
    declared_twice(name: &str) = 134, 15, 2, "The variable name '{name}' has already been declared. Variable names must be unique within a query batch or stored procedure.";
    /// 217
    nesting_exceeded() = 217, 16, 1, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 8).";
    /// 701: a loop that answers without end.
    out_of_memory() = 701, 17, 1, "There is insufficient system memory in resource pool 'default' to run this query.";
    /// 1222: another session's open transaction holds the table.
    lock_timeout() = 1222, 16, 1, "Lock request time out period exceeded.";
    /// 3617: attention.
    cancelled() = 3617, 11, 1, "The query was cancelled on request.";
    /// 40508
    use_refused() = 40508, 16, 1, "USE statement is not supported to switch between databases. Use a new connection to connect to a different database.";
    /// 40515
    other_database(name: &str) = 40515, 15, 1, "Reference to database and/or server name in '{name}' is not supported in this version of SQL Server.";
    /// 111212
    in_transaction() = 111_212, 16, 1, "111212;Operation cannot be performed within a transaction.";
    /// 111214
    no_transaction() = 111_214, 16, 1, "111214;An attempt to complete a transaction has failed. No corresponding transaction found.";
    /// 111233
    doomed() = 111_233, 16, 1, "111233;The current transaction has aborted, and any pending changes have been rolled back. The cause of this issue is that a transaction in a rollback-only state is not explicitly rolled back before a DDL, DML, or SELECT statement.";
    /// 35100: a THROW with a number that is not a user's.
    bad_throw_number(number: i64) = 35100, 16, 10, "Error number {number} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647.";
    /// 10704: THROW without arguments outside a CATCH block.
    rethrow_outside_catch() = 10704, 15, 1, "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.";
    /// 135
    break_outside_loop() = 135, 15, 1, "Cannot use a BREAK statement outside the scope of a WHILE statement.";
    /// CREATE USER in master of a serverless pool.
    user_in_master() = 15871, 16, 1, "CREATE USER is not supported in master database.";
    /// 1088
    no_table_for_statistics(name: &str) = 1088, 16, 12, "Cannot find the object \"{name}\" because it does not exist or you do not have permissions.";
    /// 1911
    no_such_statistics_column(name: &str) = 1911, 16, 1, "Column name '{name}' does not exist in the target table or view.";
    /// 1927
    statistics_exist(table: &str, name: &str) = 1927, 16, 1, "There are already statistics on table '{table}' named '{name}'.";
    /// 2501
    dbcc_no_table(name: &str) = 2501, 16, 45, "Cannot find a table or object with the name \"{name}\". Check the system catalog.";
    /// 2557
    dbcc_denied_on(user: &str, command: &str, object: &str) = 2557, 14, 7, "User '{user}' does not have permission to run DBCC {command} for object '{object}'.";
    /// 2571
    dbcc_denied(user: &str, command: &str) = 2571, 14, 1, "User '{user}' does not have permission to run DBCC {command}.";
    /// 2767
    no_such_statistics(name: &str) = 2767, 16, 1, "Could not locate statistics '{name}' in the system catalogs.";
    /// 5074: a column that statistics are on.
    column_counted(by: &str, column: &str) = 5074, 16, 1, "The statistics '{by}' is dependent on column '{column}'.";
    /// A classifier, by what is wrong.
    classifier_exists(name: &str) = 104_473, 16, 1, "104473;The workload classifier '{name}' already exists.";
    /// A classifier that does not exist.
    no_such_classifier(name: &str) = 104_474, 16, 1, "104474;The workload classifier '{name}' does not exist or you do not have permission.";
    /// A classifier for a workload group that does not exist.
    no_such_workload_group(name: &str) = 104_475, 16, 1, "104475;The workload group '{name}' does not exist.";
}
