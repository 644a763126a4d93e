//! Errors that queries raise: number, severity and text as in the engine's message table.

use crate::answer::{ServerError, SqlType};
use crate::errors;
use crate::sql::data_type;

/// 103010 for what the parser accepts but this server cannot answer faithfully.
pub(crate) fn outside(line: u32, what: &str) -> ServerError {
    errors::parse(line, 1, what)
}

/// A type as messages name it.
pub(crate) fn type_name(ty: SqlType) -> &'static str {
    match ty {
        SqlType::Decimal { .. } => "numeric",
        other => data_type::facts(other).name,
    }
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) = $number:literal, $class:literal, $text:literal;)+) => {
        $($(#[$doc])* pub(crate) fn $name($($arg: $ty),*) -> ServerError {
            ServerError::new($number, format!($text)).with_class($class)
        })+
    };
}

messages! {
    invalid_column(name: &str) = 207, 16, "Invalid column name '{name}'.";
    invalid_object(name: &str) = 208, 16, "Invalid object name '{name}'.";
    ambiguous_column(name: &str) = 209, 16, "Ambiguous column name '{name}'.";
    unbound(name: &str) = 4104, 16, "The multi-part identifier \"{name}\" could not be bound.";
    prefix_unknown(name: &str) = 107, 15, "The column prefix '{name}' does not match with a table name or alias name used in the query.";
    same_alias(name: &str) = 1011, 16, "The correlation name '{name}' is specified multiple times in a FROM clause.";
    not_grouped(name: &str) = 8120, 16, "Column '{name}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.";
    aggregate_misplaced() = 147, 15, "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.";
    aggregate_nested() = 130, 15, "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.";
    window_misplaced() = 4108, 15, "Windowed functions can only appear in the SELECT or ORDER BY clauses.";
    window_needs_order(name: &str) = 4112, 15, "The function '{name}' must have an OVER clause with ORDER BY.";
    over_missing(name: &str) = 10753, 15, "The function '{name}' must have an OVER clause.";
    divide_by_zero() = 8134, 16, "Divide by zero error encountered.";
    expression_overflow(to: &str) = 8115, 16, "Arithmetic overflow error converting expression to data type {to}.";
    overflow(from: &str, to: &str) = 8115, 16, "Arithmetic overflow error converting {from} to data type {to}.";
    value_overflow(ty: &str, value: &str) = 220, 16, "Arithmetic overflow error for data type {ty}, value = {value}.";
    text_overflow(value: &str, to: &str) = 248, 16, "The conversion of the nvarchar value '{value}' overflowed an {to} column.";
    conversion_failed(from: &str, value: &str, to: &str) = 245, 16, "Conversion failed when converting the {from} value '{value}' to data type {to}.";
    converting(from: &str, to: &str) = 8114, 16, "Error converting data type {from} to {to}.";
    bad_guid() = 8169, 16, "Conversion failed when converting from a character string to uniqueidentifier.";
    bad_moment() = 241, 16, "Conversion failed when converting date and/or time from character string.";
    moment_range(from: &str, to: &str) = 242, 16, "The conversion of a {from} data type to a {to} data type resulted in an out-of-range value.";
    moment_added(ty: &str) = 517, 16, "Adding a value to a '{ty}' column caused an overflow.";
    difference_overflow() = 535, 16, "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.";
    clash(left: &str, right: &str) = 206, 16, "Operand type clash: {left} is incompatible with {right}";
    explicit_not_allowed(from: &str, to: &str) = 529, 16, "Explicit conversion from data type {from} to {to} is not allowed.";
    implicit_not_allowed(from: &str, to: &str) = 257, 16, "Implicit conversion from data type {from} to {to} is not allowed. Use the CONVERT function to run this query.";
    bad_operator(ty: &str, operator: &str) = 8117, 16, "Operand data type {ty} is invalid for {operator} operator.";
    incompatible(left: &str, right: &str, operator: &str) = 402, 16, "The data types {left} and {right} are incompatible in the {operator} operator.";
    bad_style(style: i64, from: &str, to: &str) = 281, 16, "{style} is not a valid style number when converting from {from} to {to}.";
    unknown_function(name: &str) = 195, 15, "'{name}' is not a recognized built-in function name.";
    wrong_count(name: &str, count: usize) = 174, 15, "The {name} function requires {count} argument(s).";
    bad_argument(position: usize, function: &str, ty: &str) = 8116, 16, "Argument data type {ty} is invalid for argument {position} of {function} function.";
    bad_length(function: &str) = 536, 16, "Invalid length parameter passed to the {function} function.";
    bad_substring() = 537, 16, "Invalid length parameter passed to the LEFT or SUBSTRING function.";
    not_a_condition() = 4145, 15, "An expression of non-boolean type specified in a context where a condition is expected.";
    undeclared(name: &str) = 137, 15, "Must declare the scalar variable \"{name}\".";
    unequal_lists() = 205, 16, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.";
    unnamed_column(position: usize, of: &str) = 8155, 16, "No column name was specified for column {position} of '{of}'.";
    repeated_column(name: &str, of: &str) = 8156, 16, "The column '{name}' was specified multiple times for '{of}'.";
    fewer_columns(of: &str) = 8158, 16, "'{of}' has more columns than were specified in the column list.";
    more_columns(of: &str) = 8159, 16, "'{of}' has fewer columns than were specified in the column list.";
    view_columns_fewer(of: &str) = 4502, 16, "View or function '{of}' has more column names specified than columns defined.";
    view_column_unnamed(position: usize) = 4511, 16, "Create View or Function failed because no column name was specified for column {position}.";
    view_column_repeated(of: &str, name: &str) = 4506, 16, "Column names in each view or function must be unique. Column name '{name}' in view or function '{of}' is specified more than once.";
    order_not_allowed() = 1033, 15, "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.";
    order_position(position: &str) = 108, 15, "The ORDER BY position number {position} is out of range of the number of items in the select list.";
    order_not_selected() = 145, 15, "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.";
    order_not_in_set() = 104, 15, "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.";
    one_column_only() = 116, 16, "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
    several_rows() = 512, 16, "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.";
    all_null_case() = 8133, 16, "At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.";
    no_table() = 263, 16, "Must specify table to select from.";
    bad_top() = 1060, 15, "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.";
    bad_collation(name: &str) = 448, 16, "Invalid collation '{name}'.";
    not_text_collation(ty: &str) = 447, 16, "Expression type {ty} is invalid for COLLATE clause.";
    collation_conflict(left: &str, right: &str) = 468, 16, "Cannot resolve the collation conflict between \"{left}\" and \"{right}\" in the equal to operation.";
    bad_date_part(part: &str, function: &str) = 155, 15, "'{part}' is not a recognized {function} option.";
    part_not_supported(part: &str, function: &str, ty: &str) = 9810, 16, "The datepart {part} is not supported by date function {function} for data type {ty}.";
    bad_escape(escape: &str) = 506, 16, "The invalid escape character \"{escape}\" was specified in a LIKE predicate.";
    insert_count() = 213, 16, "Column name or number of supplied values does not match table definition.";
    insert_fewer() = 110, 15, "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.";
    insert_more() = 109, 15, "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.";
    insert_twice(name: &str) = 264, 16, "The column name '{name}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause.";
    identity_insert(table: &str) = 544, 16, "Cannot insert explicit value for identity column in table '{table}' when IDENTITY_INSERT is set to OFF.";
    identity_update(column: &str) = 8102, 16, "Cannot update identity column '{column}'.";
    null_inserted(column: &str, table: &str, verb: &str) = 515, 16, "Cannot insert the value NULL into column '{column}', table '{table}'; column does not allow nulls. {verb} fails.";
    truncated(table: &str, column: &str, value: &str) = 2628, 16, "String or binary data would be truncated in table '{table}', column '{column}'. Truncated value: '{value}'.";
    not_updatable(name: &str) = 4406, 16, "Update or insert of view or function '{name}' failed because it contains a derived or constant field.";
    cancelled() = 3617, 15, "The query was cancelled on request.";
    view_nesting() = 217, 16, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
    not_unique_list(count: usize) = 10709, 16, "The number of columns for each row in a table value constructor must be the same; row {count} differs.";
}
