//! The result-set cache of a dedicated pool.
//!
//! What Microsoft documents of it: a result is given again where the query is the same to the letter, the user has access
//! to all tables that it reads, and neither their rows nor their schema changed. Not kept are results of queries with
//! non-deterministic functions (all security and metadata functions are), with functions of users, or over tables with
//! row-level security, and rows of more than 64 kB. Whose query filled it is not asked: what would differ by the caller
//! in another way would be given to the wrong one here, too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::PrimitiveDateTime;

use crate::answer::Value;
use crate::catalog::Catalog;
use crate::query::run::ResultSet;

/// Most results that are kept; a pool keeps 1 TB.
const MOST: usize = 256;
/// Most bytes of a row that is kept.
const WIDEST: usize = 64 * 1024;

type Rows = Arc<Vec<Vec<Value>>>;

/// What a result was made of, to find that it is out of date.
#[derive(Clone)]
struct Source {
    object: i32,
    modified: PrimitiveDateTime,
    /// Held, so that other rows never come to lie in the same place.
    rows: Rows,
}

/// Results by the query that gave them.
#[derive(Default)]
pub struct ResultCache {
    kept: Mutex<HashMap<String, (Vec<Source>, ResultSet)>>,
    hits: AtomicU64,
}

impl ResultCache {
    /// How often a kept result was given.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Forgets everything, as switching it off does.
    pub fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The result of the same query over the same objects as they are now.
    pub(crate) fn find(&self, query: &str, objects: &[i32], catalog: &Catalog) -> Option<ResultSet> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (sources, result) = kept.get(query)?;
        // A bare name may mean another table for another caller.
        let same = sources.iter().map(|source| source.object).eq(objects.iter().copied());
        let current = same
            && sources.iter().all(|source| {
                catalog.object(source.object).is_some_and(|object| {
                    object.modified == source.modified && Arc::ptr_eq(&object.rows, &source.rows)
                })
            });
        current.then(|| {
            self.hits.fetch_add(1, Ordering::Relaxed);
            result.clone()
        })
    }

    /// Keeps a result, unless the cache is full or a row is too wide.
    pub(crate) fn keep(&self, query: String, objects: &[i32], catalog: &Catalog, result: &ResultSet) {
        if result.rows.iter().any(|row| row.iter().map(width).sum::<usize>() > WIDEST) {
            return;
        }
        let sources = objects.iter().filter_map(|id| catalog.object(*id)).map(|object| Source {
            object: object.id,
            modified: object.modified,
            rows: Arc::clone(&object.rows),
        });
        let sources: Vec<Source> = sources.collect();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST || kept.contains_key(&query) {
            kept.insert(query, (sources, result.clone()));
        }
    }
}

fn width(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::answer::{Answer, Value};
    use crate::pool::Pool;
    use crate::session::Session;
    use crate::testing::{number, ok, pool, request, sa, sql};

    /// A pool whose database keeps results, with a table, two readers and a secure view of it.
    fn keeping() -> (Arc<Pool>, Session) {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "CREATE TABLE dbo.t (id int, who sysname)",
                "INSERT INTO dbo.t VALUES (1, N'one')",
                "INSERT INTO dbo.t VALUES (2, N'two')",
                "CREATE SCHEMA secure",
                "CREATE VIEW secure.t AS SELECT id FROM dbo.t WHERE who = USER_NAME()",
                "CREATE VIEW secure.clear AS SELECT id FROM dbo.t",
            ],
        );
        for user in ["one", "two"] {
            ok(
                &mut admin,
                &[
                    &format!("CREATE USER {user} WITHOUT LOGIN"),
                    &format!("GRANT SELECT ON SCHEMA::secure TO {user}"),
                ],
            );
        }
        let mut master = pool.login(request(sql("sa", "secret"), Some("master"))).unwrap();
        ok(&mut master, &["ALTER DATABASE dw SET RESULT_SET_CACHING ON"]);
        (pool, admin)
    }

    fn ids(session: &mut Session, text: &str) -> Vec<i64> {
        let id = |answer: &Answer| match answer {
            Answer::Row(row) => match row[0] {
                Value::Int(id) => Some(id),
                _ => None,
            },
            _ => None,
        };
        session.batch(text).iter().filter_map(id).collect()
    }

    fn as_user(session: &mut Session, user: &str, text: &str) -> Vec<i64> {
        ok(session, &[&format!("EXECUTE AS USER = '{user}'")]);
        let ids = ids(session, text);
        ok(session, &["REVERT"]);
        ids
    }

    #[test]
    fn a_result_is_given_again_until_a_row_changes() {
        let (pool, mut admin) = keeping();
        let text = "SELECT id FROM dbo.t ORDER BY id";
        assert_eq!(ids(&mut admin, text), [1, 2]);
        assert_eq!(pool.cache_hits(), 0);
        assert_eq!(ids(&mut admin, text), [1, 2]);
        assert_eq!(pool.cache_hits(), 1);
        assert_eq!(ids(&mut sa(&pool), text), [1, 2]);
        assert_eq!(pool.cache_hits(), 2);
        ok(&mut admin, &["DELETE FROM dbo.t WHERE id = 1"]);
        assert_eq!(ids(&mut admin, text), [2]);
        assert_eq!(pool.cache_hits(), 2);
        // Not for a session that wants none, nor by another text, nor with a function of the time.
        ok(&mut admin, &["SET RESULT_SET_CACHING OFF"]);
        assert_eq!(ids(&mut admin, text), [2]);
        ok(&mut admin, &["SET RESULT_SET_CACHING ON"]);
        for other in ["SELECT id FROM dbo.t", "SELECT id FROM dbo.t WHERE GETDATE() > '2020-01-01'"] {
            assert_eq!(ids(&mut admin, other), [2]);
        }
        assert_eq!(ids(&mut admin, "SELECT id FROM dbo.t WHERE GETDATE() > '2020-01-01'"), [2]);
        assert_eq!(pool.cache_hits(), 2);
    }

    #[test]
    fn two_users_with_one_text_get_their_own_rows() {
        let (pool, mut admin) = keeping();
        // What tells them apart is the view's text.
        for _ in 0..2 {
            assert_eq!(as_user(&mut admin, "one", "SELECT id FROM secure.t"), [1]);
            assert_eq!(as_user(&mut admin, "two", "SELECT id FROM secure.t"), [2]);
        }
        assert_eq!(pool.cache_hits(), 0);
        // Here nothing tells them apart: the second gets what the first one's query left.
        assert_eq!(as_user(&mut admin, "one", "SELECT id FROM secure.clear ORDER BY id"), [1, 2]);
        assert_eq!(as_user(&mut admin, "two", "SELECT id FROM secure.clear ORDER BY id"), [1, 2]);
        assert_eq!(pool.cache_hits(), 1);
        // A security policy tells them apart; what was kept before it is not given.
        ok(
            &mut admin,
            &[
                "CREATE FUNCTION secure.may (@who sysname) RETURNS TABLE WITH SCHEMABINDING AS \
                 RETURN SELECT 1 AS ok WHERE @who = USER_NAME()",
                "CREATE SECURITY POLICY secure.p ADD FILTER PREDICATE secure.may (who) ON dbo.t",
            ],
        );
        for _ in 0..2 {
            assert_eq!(as_user(&mut admin, "one", "SELECT id FROM secure.clear ORDER BY id"), [1]);
            assert_eq!(as_user(&mut admin, "two", "SELECT id FROM secure.clear ORDER BY id"), [2]);
        }
        assert_eq!(pool.cache_hits(), 1);
    }

    #[test]
    fn a_kept_result_needs_the_same_rights() {
        let (pool, mut admin) = keeping();
        assert_eq!(as_user(&mut admin, "one", "SELECT id FROM secure.clear"), [1, 2]);
        ok(&mut admin, &["DENY SELECT ON secure.clear TO two", "EXECUTE AS USER = 'two'"]);
        assert_eq!(number(&mut admin, "SELECT id FROM secure.clear"), 229);
        assert_eq!(pool.cache_hits(), 0);
    }

    #[test]
    fn the_database_says_whether_it_keeps_results() {
        let (pool, mut admin) = keeping();
        let asked =
            "SELECT CAST(is_result_set_caching_on AS int) AS a FROM sys.databases WHERE name = DB_NAME()";
        assert_eq!(ids(&mut admin, asked), [1]);
        assert_eq!(number(&mut admin, "ALTER DATABASE dw SET RESULT_SET_CACHING OFF"), 5001);
        let mut master = pool.login(request(sql("sa", "secret"), Some("master"))).unwrap();
        assert_eq!(number(&mut master, "ALTER DATABASE other SET RESULT_SET_CACHING ON"), 5011);
        assert_eq!(
            pool.snapshot().save(),
            crate::catalog::Catalog::load(pool.snapshot().save()).unwrap().save()
        );
        ok(&mut master, &["ALTER DATABASE dw SET RESULT_SET_CACHING OFF"]);
        assert_eq!(ids(&mut admin, asked), [0]);
        for _ in 0..2 {
            assert_eq!(ids(&mut admin, "SELECT id FROM dbo.t ORDER BY id"), [1, 2]);
        }
        assert_eq!(pool.cache_hits(), 0);
    }
}
