//! The T-SQL front end: tokens, a cursor over them, statements and their parser.

pub(crate) mod ast;
pub mod cursor;
pub mod data_type;
pub mod lexer;
pub(crate) mod parser;
