//! T-SQL operations as functions that SQLite calls by number: `f(7, a, b)`.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value as Cell;

use crate::answer::ServerError;

/// One operation over held values.
pub(crate) type Op = Arc<dyn Fn(&[Cell]) -> Result<Cell, ServerError> + Send + Sync>;

/// The operations of one query. Equal operations share a number, so that equal expressions print alike.
#[derive(Default)]
pub(crate) struct Ops {
    list: Vec<Op>,
    numbers: HashMap<String, usize>,
}

impl Ops {
    /// The number of the operation `key`, made by `op` when it is new.
    pub(crate) fn number(&mut self, key: &str, op: impl FnOnce() -> Op) -> usize {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        self.list.push(op());
        self.numbers.insert(key.to_owned(), self.list.len() - 1);
        self.list.len() - 1
    }

    /// The operations by number.
    pub(crate) fn into_list(self) -> Vec<Op> {
        self.list
    }
}
