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
    ServerError::new(105, format!("Unclosed quotation mark after the character string '{shown}'.")).with_class(15)
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
pub fn column_denied(action: Action, column: &str, object: &str, database: &str, schema: &str) -> ServerError {
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
