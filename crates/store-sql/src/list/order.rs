//! The order of a list: by creation, by a key column, or by what a resource is evaluated to.

use std::collections::HashMap;

use axon_scim::{ResourceKind, ScimError, Sort, SortKey};
use axon_store::query::{Place, PlaceKey};
use axon_store::{Query, StoreError, WriteError};

use super::conditions::{Plan, Select};
use crate::session::Session;
use crate::value::{Arg, FromValue, Value};

/// Which part of the ordered list is wanted.
pub(super) enum Window {
    /// After so many.
    Index { skip: u64, count: u64 },
    /// Behind a place.
    Cursor { after: Option<Place>, count: u64 },
}

impl Window {
    /// How many to skip, how many to give.
    pub const fn size(&self) -> (u64, u64) {
        match self {
            Self::Index { skip, count } => (*skip, *count),
            Self::Cursor { count, .. } => (0, *count),
        }
    }
}

/// The order of a list. Equal keys follow in the order of creation.
pub(super) enum Order<'q> {
    Creation { column: &'static str },
    Column { column: &'static str, descending: bool },
    Evaluated(&'q Sort),
}

impl<'q> Order<'q> {
    /// What a query asks for. Columns sort only where they answer the filter, too.
    pub fn of(kind: ResourceKind, query: &'q Query, filtered_by_columns: bool) -> Self {
        let creation = match kind {
            ResourceKind::User => "u.seq",
            ResourceKind::Group => "g.seq",
        };
        match &query.sort {
            None => Self::Creation { column: creation },
            Some(sort) => match column(kind, sort) {
                Some(column) if filtered_by_columns => {
                    Self::Column { column, descending: sort.is_descending() }
                }
                _ => Self::Evaluated(sort),
            },
        }
    }

    /// The column that tells it, if one does.
    pub const fn column(&self) -> Option<&'static str> {
        match self {
            Self::Creation { column } | Self::Column { column, .. } => Some(column),
            Self::Evaluated(_) => None,
        }
    }

    /// The sort, where resources are evaluated.
    pub const fn sort(&self) -> Option<&'q Sort> {
        if let Self::Evaluated(sort) = self { Some(sort) } else { None }
    }

    /// ORDER BY.
    pub fn by(&self, select: &mut Select, column: &'static str) {
        let seq = if column.starts_with('u') { "u.seq" } else { "g.seq" };
        select.push(" ORDER BY ").push(column);
        if let Self::Column { descending, .. } = self {
            select.push(if *descending { " DESC, " } else { ", " }).push(seq);
        }
    }

    /// The condition of being behind a place.
    pub fn behind(&self, select: &mut Select, column: &'static str, place: &Place) -> Result<(), ScimError> {
        let seq = if column.starts_with('u') { "u.seq" } else { "g.seq" };
        let Self::Column { descending, .. } = self else {
            select.push(" AND ").push(seq).push(" > ").bind(place.seq);
            return Ok(());
        };
        // Clients can make cursors: a key that the column never has would be the database's to refuse, as if it were broken.
        let key = || match (&place.key, kept_in(column)) {
            (PlaceKey::Int(n), Kept::Int) => Ok(Arg::from(*n)),
            (PlaceKey::Text(text), Kept::Text) if !text.contains('\0') => Ok(Arg::from(text.clone())),
            (PlaceKey::Bytes(bytes), Kept::Bytes) => Ok(Arg::from(bytes.clone())),
            _ => Err(ScimError::invalid_cursor("the cursor names no place in this order")),
        };
        select.push(" AND (").push(column).push(if *descending { " < " } else { " > " }).bind(key()?);
        select.push(" OR (").push(column).push(" = ").bind(key()?);
        select.push(" AND ").push(seq).push(" > ").bind(place.seq).push("))");
        Ok(())
    }

    /// A place with its key: read from the row again where the cursor could not carry it.
    pub async fn settled(
        &self,
        session: &mut dyn Session,
        plan: &Plan<'_>,
        place: &Place,
    ) -> Result<Place, WriteError> {
        let (Self::Column { column, .. }, PlaceKey::OfRow) = (self, &place.key) else {
            return Ok(place.clone());
        };
        match self.key_of_row(session, plan, column, place.seq).await? {
            PlaceKey::None => {
                Err(ScimError::expired_cursor("what the cursor points at is not there any more").into())
            }
            key => Ok(Place { seq: place.seq, key }),
        }
    }

    /// What a row is sorted by.
    pub async fn key_of_row(
        &self,
        session: &mut dyn Session,
        plan: &Plan<'_>,
        column: &'static str,
        seq: i64,
    ) -> Result<PlaceKey, StoreError> {
        if matches!(self, Self::Creation { .. }) {
            return Ok(PlaceKey::None);
        }
        let select = plan.column(column, seq);
        let key: Option<Key> = session.value("read a sort key", select.sql, &select.args).await?;
        Ok(key.map_or(PlaceKey::None, |key| key.0))
    }

    /// The places of these rows, in their order. What they are sorted by is read in one statement.
    pub async fn places_of_rows(
        &self,
        session: &mut dyn Session,
        plan: &Plan<'_>,
        column: &'static str,
        seqs: Vec<i64>,
    ) -> Result<Vec<Place>, StoreError> {
        if matches!(self, Self::Creation { .. }) || seqs.is_empty() {
            return Ok(seqs.into_iter().map(|seq| Place { seq, key: PlaceKey::None }).collect());
        }
        let select = plan.column_of_many(column, &seqs);
        let rows: Vec<(i64, Key)> = session.all("read sort keys", select.sql, &select.args).await?;
        let mut keys: HashMap<i64, PlaceKey> = rows.into_iter().map(|(seq, key)| (seq, key.0)).collect();
        let place = |seq| keys.remove(&seq).map(|key| Place { seq, key });
        Ok(seqs.into_iter().filter_map(place).collect())
    }
}

struct Key(PlaceKey);

impl FromValue for Key {
    const WANTED: &'static str = "a sort key";

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Int(n) => Some(Self(PlaceKey::Int(n))),
            Value::Text(text) => Some(Self(PlaceKey::Text(text))),
            Value::Blob(bytes) => Some(Self(PlaceKey::Bytes(bytes))),
        }
    }
}

/// The key column that sorts as the attribute does, if there is one. None of them is ever NULL.
fn column(kind: ResourceKind, sort: &Sort) -> Option<&'static str> {
    let path = sort.path();
    if path.extension.is_some() {
        return None;
    }
    let sub = path.sub.as_ref().map(|sub| sub.name.as_str());
    match (kind, path.attribute.name.as_str(), sub) {
        (ResourceKind::User, "id", None) => Some("u.id"),
        (ResourceKind::User, "userName", None) => Some("u.user_name_key"),
        (ResourceKind::User, "meta", Some("created")) => Some("u.created"),
        (ResourceKind::User, "meta", Some("lastModified")) => Some("u.modified"),
        (ResourceKind::Group, "id", None) => Some("g.id"),
        (ResourceKind::Group, "displayName", None) => Some("g.display_name_key"),
        (ResourceKind::Group, "meta", Some("created")) => Some("g.created"),
        (ResourceKind::Group, "meta", Some("lastModified")) => Some("g.modified"),
        _ => None,
    }
}

/// What a key column holds.
enum Kept {
    Int,
    Text,
    Bytes,
}

fn kept_in(column: &str) -> Kept {
    match column {
        "u.id" | "g.id" => Kept::Bytes,
        "u.user_name_key" | "g.display_name_key" => Kept::Text,
        _ => Kept::Int,
    }
}

/// An evaluated key as a cursor carries it: its own text, which tells the types apart.
pub(super) fn carried(key: Option<&SortKey>) -> PlaceKey {
    match key {
        None => PlaceKey::None,
        Some(SortKey::Boolean(value)) => PlaceKey::Text(format!("b{}", u8::from(*value))),
        Some(SortKey::Number(number)) => PlaceKey::Text(format!("n{number}")),
        Some(SortKey::Instant(at)) => PlaceKey::Text(format!("i{}", at.unix_timestamp_nanos())),
        Some(SortKey::Text(text)) => PlaceKey::Text(format!("t{text}")),
        Some(SortKey::Absent) => PlaceKey::Text("a".to_owned()),
    }
}

/// The evaluated key that a cursor carries.
pub(super) fn carried_back(key: &PlaceKey) -> Option<SortKey> {
    let PlaceKey::Text(text) = key else { return None };
    let (tag, rest) = text.split_at_checked(1)?;
    match tag {
        "b" => Some(SortKey::Boolean(rest == "1")),
        "n" => serde_json::from_str(rest).ok().map(SortKey::Number),
        "i" => {
            let nanos = rest.parse().ok()?;
            time::OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().map(SortKey::Instant)
        }
        "t" => Some(SortKey::Text(rest.to_owned())),
        "a" => Some(SortKey::Absent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluated_keys_come_back_from_a_cursor() {
        for key in [
            SortKey::Boolean(true),
            SortKey::Number(7.into()),
            SortKey::Instant(time::OffsetDateTime::UNIX_EPOCH),
            SortKey::Text("n1".into()),
            SortKey::Text(String::new()),
            SortKey::Absent,
        ] {
            assert_eq!(carried_back(&carried(Some(&key))), Some(key));
        }
        assert_eq!(carried_back(&PlaceKey::OfRow), None);
    }
}
