//! Rows of the catalog, decoded and still pointing at one another by id.

use std::collections::HashMap;

use axon_model::SqlName;
use axon_reconcile::Permission;
use tiberius::{ColumnData, Row};
use time::PrimitiveDateTime;

/// A name as the catalog spells it, or the text and why it cannot be one here.
pub(crate) type Spelled = Result<SqlName, (String, String)>;

pub(crate) fn spelled(text: &str) -> Spelled {
    SqlName::parse(text).map_err(|e| (text.chars().take(128).collect(), e.to_string()))
}

/// Who and where we are.
#[derive(Debug, Clone)]
pub(crate) struct RawFacts {
    pub(crate) version: String,
    pub(crate) edition: i64,
    pub(crate) own: String,
    pub(crate) database: String,
    /// Whether a server says that we administer it.
    pub(crate) administers: bool,
}

/// `sys.database_principals`
#[derive(Debug, Clone)]
pub(crate) struct RawPrincipal {
    pub(crate) id: i32,
    pub(crate) name: Spelled,
    pub(crate) code: char,
    pub(crate) sid: Option<Vec<u8>>,
    pub(crate) created: Option<PrimitiveDateTime>,
    pub(crate) owner: Option<i32>,
    pub(crate) fixed: bool,
}

/// `sys.database_permissions`
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawPermission {
    pub(crate) class: u8,
    pub(crate) major: i32,
    pub(crate) minor: i32,
    pub(crate) grantee: i32,
    pub(crate) grantor: i32,
    pub(crate) permission: Permission,
    pub(crate) state: char,
}

/// `sys.schemas`
#[derive(Debug, Clone)]
pub(crate) struct RawSchema {
    pub(crate) id: i32,
    pub(crate) name: Spelled,
    pub(crate) owner: Option<i32>,
}

/// `sys.objects`
#[derive(Debug, Clone)]
pub(crate) struct RawObject {
    pub(crate) id: i32,
    pub(crate) schema: i32,
    pub(crate) name: Spelled,
    pub(crate) code: [u8; 2],
    pub(crate) owner: Option<i32>,
}

/// `sys.columns`
#[derive(Debug, Clone)]
pub(crate) struct RawColumn {
    pub(crate) object: i32,
    pub(crate) id: i32,
    pub(crate) name: Spelled,
}

/// What one batch of [`crate::render::everything`] or [`crate::render::named`] gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawCatalog {
    pub(crate) facts: Option<RawFacts>,
    pub(crate) permissions: Vec<RawPermission>,
    pub(crate) members: Vec<(i32, i32)>,
    pub(crate) columns: Vec<RawColumn>,
    pub(crate) objects: Vec<RawObject>,
    pub(crate) schemas: Vec<RawSchema>,
    pub(crate) principals: Vec<RawPrincipal>,
    /// Ids and names of credentials, where they were looked at.
    pub(crate) credentials: Option<Vec<(i32, Spelled)>>,
    /// Each permission's name is read once.
    names: HashMap<String, Permission>,
}

impl RawCatalog {
    /// Takes one row of one result set.
    pub(crate) fn take(&mut self, set: usize, row: &Row) -> Result<(), String> {
        match set {
            0 => {
                self.facts = Some(RawFacts {
                    version: text(row, 0)?.to_owned(),
                    edition: int(row, 1)?,
                    own: text(row, 2)?.to_owned(),
                    database: text(row, 3)?.to_owned(),
                    administers: row.len() > 4 && optional(row, 4)? == Some(1),
                });
            }
            1 => {
                let permission = self.permission(text(row, 6)?)?;
                self.permissions.push(RawPermission {
                    class: narrow(row, 0)?,
                    major: narrow(row, 1)?,
                    minor: narrow(row, 2)?,
                    grantee: narrow(row, 3)?,
                    grantor: narrow(row, 4)?,
                    permission,
                    state: letter(row, 7)?,
                });
            }
            2 => self.members.push((narrow(row, 0)?, narrow(row, 1)?)),
            3 => self.columns.push(RawColumn {
                object: narrow(row, 0)?,
                id: narrow(row, 1)?,
                name: spelled(text(row, 2)?),
            }),
            4 => self.objects.push(RawObject {
                id: narrow(row, 0)?,
                schema: narrow(row, 1)?,
                name: spelled(text(row, 2)?),
                code: code(text(row, 3)?),
                owner: owner(row, 4)?,
            }),
            5 => self.schemas.push(RawSchema {
                id: narrow(row, 0)?,
                name: spelled(text(row, 1)?),
                owner: owner(row, 2)?,
            }),
            6 => self.principals.push(RawPrincipal {
                id: narrow(row, 0)?,
                name: spelled(text(row, 1)?),
                code: letter(row, 2)?,
                sid: row.try_get::<&[u8], _>(3).map_err(|e| e.to_string())?.map(<[u8]>::to_vec),
                created: row.try_get(4).map_err(|e| e.to_string())?,
                owner: owner(row, 5)?,
                fixed: optional(row, 6)?.is_some_and(|bit| bit != 0),
            }),
            _ => return Err("a result set that was not asked for".into()),
        }
        Ok(())
    }

    /// Takes one row of the credentials.
    pub(crate) fn take_credential(&mut self, row: &Row) -> Result<(), String> {
        let credential = (narrow(row, 0)?, spelled(text(row, 1)?));
        self.credentials.get_or_insert_default().push(credential);
        Ok(())
    }

    fn permission(&mut self, name: &str) -> Result<Permission, String> {
        if let Some(permission) = self.names.get(name) {
            return Ok(*permission);
        }
        let permission = match name.parse() {
            Ok(known) => known,
            Err(_) => {
                Permission::Other(SqlName::parse(name).map_err(|e| format!("a permission's name: {e}"))?)
            }
        };
        self.names.insert(name.to_owned(), permission);
        Ok(permission)
    }
}

/// Whole numbers of every width, and bits.
fn optional(row: &Row, at: usize) -> Result<Option<i64>, String> {
    match row.get_column_data(at).map_err(|e| e.to_string())? {
        ColumnData::U8(n) => Ok(n.map(i64::from)),
        ColumnData::I16(n) => Ok(n.map(i64::from)),
        ColumnData::I32(n) => Ok(n.map(i64::from)),
        ColumnData::I64(n) => Ok(*n),
        ColumnData::Bit(b) => Ok(b.map(i64::from)),
        _ => Err(format!("column {at} is not a whole number")),
    }
}

fn int(row: &Row, at: usize) -> Result<i64, String> {
    optional(row, at)?.ok_or_else(|| format!("column {at} is NULL"))
}

fn narrow<T: TryFrom<i64>>(row: &Row, at: usize) -> Result<T, String> {
    T::try_from(int(row, at)?).map_err(|_| format!("column {at} is out of range"))
}

fn owner(row: &Row, at: usize) -> Result<Option<i32>, String> {
    optional(row, at)?
        .map(|id| i32::try_from(id).map_err(|_| format!("column {at} is out of range")))
        .transpose()
}

pub(crate) fn text(row: &Row, at: usize) -> Result<&str, String> {
    let value: Option<&str> = row.try_get(at).map_err(|e| e.to_string())?;
    value.ok_or_else(|| format!("column {at} is NULL"))
}

/// A length of `sys.columns`: -1 is `max`.
pub(crate) fn small(row: &Row, at: usize) -> Result<i16, String> {
    narrow(row, at)
}

pub(crate) fn number(row: &Row, at: usize) -> Result<u32, String> {
    narrow(row, at)
}

fn letter(row: &Row, at: usize) -> Result<char, String> {
    text(row, at)?.chars().next().ok_or_else(|| format!("column {at} is empty"))
}

/// A `char(2)` code without its padding.
fn code(text: &str) -> [u8; 2] {
    let mut bytes = text.trim_end().bytes();
    [bytes.next().unwrap_or(b' '), bytes.next().unwrap_or(b' ')]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: Vec<ColumnData<'static>>) -> Row {
        cells
            .into_iter()
            .fold(Row::builder(), |b, cell| b.column("c", tiberius::ColumnType::Null, cell))
            .build()
    }

    fn string(text: &str) -> ColumnData<'static> {
        ColumnData::String(Some(text.to_owned().into()))
    }

    fn permission(name: &str, state: &str) -> Row {
        row(vec![
            ColumnData::U8(Some(1)),
            ColumnData::I32(Some(77)),
            ColumnData::I32(Some(0)),
            ColumnData::I32(Some(5)),
            ColumnData::I32(Some(1)),
            string("SL  "),
            string(name),
            string(state),
        ])
    }

    #[test]
    fn a_permission_is_known_by_its_name_and_an_unknown_one_is_kept() {
        let mut raw = RawCatalog::default();
        raw.take(1, &permission("SELECT", "G")).unwrap();
        raw.take(1, &permission("FLY", "D")).unwrap();
        let read: Vec<_> = raw.permissions.iter().map(|p| (p.permission, p.state)).collect();
        assert_eq!(read[0], (Permission::Select, 'G'));
        assert_eq!(read[1], (Permission::Other(SqlName::parse("fly").unwrap()), 'D'));
    }

    #[test]
    fn a_row_of_another_shape_is_an_error_that_says_where() {
        let mut raw = RawCatalog::default();
        let bad = row(vec![string("x"), ColumnData::I32(Some(1))]);
        assert_eq!(raw.take(2, &bad), Err("column 0 is not a whole number".into()));
        let null = row(vec![ColumnData::I32(None), ColumnData::I32(Some(1))]);
        assert_eq!(raw.take(2, &null), Err("column 0 is NULL".into()));
        let wide = row(vec![ColumnData::I64(Some(i64::MAX)), ColumnData::I32(Some(1))]);
        assert_eq!(raw.take(2, &wide), Err("column 0 is out of range".into()));
        assert!(raw.take(2, &row(vec![ColumnData::I32(Some(1))])).is_err());
        assert!(raw.take(9, &bad).is_err());
    }

    #[test]
    fn codes_lose_their_padding_and_odd_names_are_kept_as_text() {
        assert_eq!(code("U "), *b"U ");
        assert_eq!(code("FN"), *b"FN");
        assert_eq!(code(""), *b"  ");
        let (text, reason) = spelled("kim ").unwrap_err();
        assert_eq!((text.as_str(), reason.as_str()), ("kim ", "the name begins or ends with a blank"));
    }
}
