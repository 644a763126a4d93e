//! Words that cannot be bare names: they end an expression or begin the next clause or statement.

/// Sorted, upper case.
const RESERVED: [&str; 131] = [
    "ADD", "ALL", "ALTER", "AND", "ANY", "AS", "ASC", "AUTHORIZATION", "BACKUP", "BEGIN", "BETWEEN", "BREAK", "BY",
    "CASE", "CHECK", "CLOSE", "COALESCE", "COLLATE", "COLUMN", "COMMIT", "CONSTRAINT", "CONTINUE", "CONVERT",
    "CREATE", "CROSS", "CURRENT", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "CURSOR",
    "DATABASE", "DBCC", "DEALLOCATE", "DECLARE", "DEFAULT", "DELETE", "DENY", "DESC", "DISTINCT", "DROP", "ELSE",
    "END", "ESCAPE", "EXCEPT", "EXEC", "EXECUTE", "EXISTS", "EXIT", "FETCH", "FOR", "FOREIGN", "FROM", "FULL",
    "FUNCTION", "GOTO", "GRANT", "GROUP", "HAVING", "IDENTITY", "IF", "IN", "INDEX", "INNER", "INSERT", "INTERSECT",
    "INTO", "IS", "JOIN", "KEY", "KILL", "LEFT", "LIKE", "MERGE", "NATIONAL", "NOCHECK", "NOT", "NULL", "NULLIF",
    "OF", "OFF", "OFFSETS", "ON", "OPEN", "OPTION", "OR", "ORDER", "OUTER", "OVER", "PERCENT", "PIVOT", "PRIMARY",
    "PRINT", "PROC", "PROCEDURE", "PUBLIC", "RAISERROR", "READ", "REFERENCES", "RETURN", "REVERT", "REVOKE",
    "RIGHT", "ROLLBACK", "SAVE", "SCHEMA", "SELECT", "SESSION_USER", "SET", "SOME", "SYSTEM_USER", "TABLE",
    "TABLESAMPLE", "THEN", "TO", "TOP", "TRAN", "TRANSACTION", "TRIGGER", "TRUNCATE", "TRY_CONVERT", "UNION",
    "UNIQUE", "UNPIVOT", "UPDATE", "USE", "USER", "VALUES", "VIEW", "WAITFOR", "WHEN",
];
const RESERVED_TAIL: [&str; 4] = ["WHERE", "WHILE", "WITH", "WITHIN"];

/// Whether `word` cannot be a bare name.
pub(super) fn is_reserved(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    RESERVED.binary_search(&word.as_str()).is_ok() || RESERVED_TAIL.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_it_can_be_searched() {
        assert!(RESERVED.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(is_reserved("select") && is_reserved("Within") && !is_reserved("name"));
    }
}
